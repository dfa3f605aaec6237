"""coqui-tts 0.28.0."""

from __future__ import annotations

from types import SimpleNamespace

from contract import note, sound, tokens, work


class Xtts:
    @classmethod
    def init_from_config(cls, config):
        return cls()

    def load_checkpoint(
        self,
        config,
        checkpoint_dir=None,
        checkpoint_path=None,
        vocab_path=None,
        eval=True,
        strict=True,
        use_deepspeed=False,
        speaker_file_path=None,
    ):
        own = {"gpt_cond_latent": "latent of Asha", "speaker_embedding": "embedding of Asha"}
        self.speaker_manager = SimpleNamespace(speakers={"Asha": own})

    def to(self, device):
        return self

    def get_conditioning_latents(
        self,
        audio_path,
        max_ref_length=30,
        gpt_cond_len=6,
        gpt_cond_chunk_len=6,
        librosa_trim_db=None,
        sound_norm_refs=False,
        load_sr=22050,
    ):
        note(f"derived from {audio_path[0]}")
        return f"clone of {audio_path[0]}", "embedding"

    def inference_stream(
        self,
        text,
        language,
        gpt_cond_latent,
        speaker_embedding,
        stream_chunk_size=20,
        overlap_wav_len=1024,
        temperature=0.75,
        length_penalty=1.0,
        repetition_penalty=10.0,
        top_k=50,
        top_p=0.85,
        do_sample=True,
        speed=1.0,
        enable_text_splitting=False,
        **hf_generate_kwargs,
    ):
        count = tokens(text)
        whole = sound(text, count, 24000)
        step = len(whole) // count
        begun = 0
        for at in range(count):
            note(f"token {at} of {text}")
            work(text, at)
            if at + 1 - begun == stream_chunk_size or at + 1 == count:
                yield whole[begun * step : (at + 1) * step]
                begun = at + 1
        note(f"spoken with {gpt_cond_latent}: {text}")
