class VibeVoiceStreamingProcessor:
    tokenizer = None

    @classmethod
    def from_pretrained(cls, name):
        return cls()

    def process_input_with_cached_prompt(
        self, text, cached_prompt, padding, return_tensors, return_attention_mask
    ):
        assert "used" not in cached_prompt, "a generation wrote into the preset"
        return {"text": text}
