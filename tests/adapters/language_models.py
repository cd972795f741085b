"""Small language models of transformers with selective layers, of random weights."""

import torch
from torch import Tensor, nn

from tests.adapters.packages import package

N = 10
SIZES = {
    "vocab_size": 30,
    "hidden_size": 32,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": None,
    "num_attention_heads": 4,
    "intermediate_size": 32,
}
HEADS = {
    "mamba_d_state": N,
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_n_groups": 2,
    "mamba_chunk_size": 8,
    "num_key_value_heads": 2,
}
# Name of the model, what its configuration calls N, options, and the layers' adapter.
MODELS = {
    "Mamba": ("state_size", {"state_size": N, "num_hidden_layers": 2}, "Mamba"),
    "FalconMamba": ("state_size", {"state_size": N, "num_hidden_layers": 2}, "Mamba"),
    "Jamba": (
        "mamba_d_state",
        {
            "mamba_d_state": N,
            "num_hidden_layers": 2,
            "num_key_value_heads": 2,
            "num_experts": 2,
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "rms_norm_eps": 1e-12,  # else it counts as one more state of B and C
        },
        "Mamba",
    ),
    "Zamba": (
        "mamba_d_state",
        {
            "mamba_d_state": N,
            "num_hidden_layers": 4,
            "layers_block_type": ["mamba", "hybrid"] * 2,
            "num_key_value_heads": 4,
            "n_mamba_heads": 2,
            "mamba_dt_rank": 4,
        },
        "Mamba with heads",
    ),
    "Mamba2": (
        "state_size",
        {
            "state_size": N,
            "num_hidden_layers": 2,
            "num_heads": 4,
            "head_dim": 16,
            "n_groups": 2,
            "chunk_size": 8,
        },
        "Mamba-2",
    ),
    "Zamba2": (
        "mamba_d_state",
        {
            "mamba_d_state": N,
            "num_hidden_layers": 3,
            "layers_block_type": ["mamba", "mamba", "hybrid"],
            "num_key_value_heads": 4,
            "n_mamba_heads": 4,
            "mamba_headdim": 16,
            "mamba_ngroups": 2,
            "chunk_size": 8,
            "num_mem_blocks": 1,
            "adapter_rank": 4,
        },
        "Mamba-2",
    ),
    "Bamba": (
        "mamba_d_state",
        {**HEADS, "num_hidden_layers": 2, "attn_layer_indices": [1]},
        "Mamba-2",
    ),
    "FalconH1": (
        "mamba_d_state",
        {
            **HEADS,
            "num_hidden_layers": 2,
            "mamba_d_ssm": 64,
            "ssm_multipliers": [0.5, 0.6, 0.7, 0.8, 0.9],
        },
        "Mamba-2",
    ),
    "NemotronH": (
        "ssm_state_size",
        {
            "ssm_state_size": N,
            "hybrid_override_pattern": "M*M-",
            "num_key_value_heads": 2,
            "head_dim": 8,
            "mamba_num_heads": 4,
            "mamba_head_dim": 16,
            "n_groups": 2,
            "chunk_size": 8,
        },
        "Mamba-2",
    ),
    "GraniteMoeHybrid": (
        "mamba_d_state",
        {
            **HEADS,
            "num_hidden_layers": 2,
            "shared_intermediate_size": 32,
            "layer_types": ["mamba", "attention"],
        },
        "Mamba-2",
    ),
}
TOKENS = torch.randint(2, 30, (3, 15), generator=torch.Generator().manual_seed(5))


def language_model(name):
    """A model of random weights, large enough that its states matter."""
    transformers = package("transformers")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    options = {**SIZES, **MODELS[name][1]}
    if name in {"Mamba", "FalconMamba", "Mamba2"}:
        for unknown in ("num_attention_heads", "intermediate_size"):
            del options[unknown]
    config = getattr(transformers, f"{name}Config")(**options)
    torch.manual_seed(7)
    model = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(3)
    return model


def logits(model, tokens=TOKENS):
    with torch.no_grad():
        return model(tokens, use_cache=False).logits


def decoded(model: nn.Module) -> tuple[Tensor, Tensor]:
    """Logits of new tokens from the states that the cache keeps, and all at once."""
    made = model.generate(
        TOKENS[:, :5],
        max_new_tokens=8,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )
    return torch.stack(made.logits, dim=1), logits(model, made.sequences)[:, 4:-1]
