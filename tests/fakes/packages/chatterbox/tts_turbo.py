from contract import note

from chatterbox._model import Chatterbox


class ChatterboxTurboTTS(Chatterbox):
    def prepare_conditionals(self, wav_fpath, exaggeration=0.5, norm_loudness=True):
        note(f"derived from {wav_fpath}")
        self.conds = f"clone of {wav_fpath}"

    def generate(
        self,
        text,
        repetition_penalty=1.2,
        min_p=0.00,
        top_p=0.95,
        audio_prompt_path=None,
        exaggeration=0.0,
        cfg_weight=0.0,
        temperature=0.8,
        top_k=1000,
        norm_loudness=True,
    ):
        assert audio_prompt_path is None
        return self._speak(text)
