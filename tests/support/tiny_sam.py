"""A network of the SAM family that is small enough for tests, untrained."""

import torch


def save_tiny_sam(folder, seed=0):
    """Write config.json and model.safetensors into ``folder`` and return it."""
    from transformers import (
        SamConfig,
        SamMaskDecoderConfig,
        SamModel,
        SamPromptEncoderConfig,
        SamVisionConfig,
    )
    from transformers.utils import logging

    vision = SamVisionConfig(
        hidden_size=32, output_channels=16, num_hidden_layers=2, num_attention_heads=2,
        image_size=128, patch_size=16, window_size=4, global_attn_indexes=[1], mlp_dim=64,
        num_pos_feats=8,
    )  # fmt: skip
    prompts = SamPromptEncoderConfig(
        hidden_size=16, image_size=128, patch_size=16, mask_input_channels=4
    )
    decoder = SamMaskDecoderConfig(
        hidden_size=16, mlp_dim=32, num_hidden_layers=2, num_attention_heads=2,
        iou_head_hidden_dim=16,
    )  # fmt: skip
    torch.manual_seed(seed)
    config = SamConfig(
        vision_config=vision.to_dict(),
        prompt_encoder_config=prompts.to_dict(),
        mask_decoder_config=decoder.to_dict(),
        initializer_range=0.5,
    )
    logging.disable_progress_bar()
    SamModel(config).save_pretrained(folder)
    return folder
