"""CosyVoice3 of the project's repository."""

from __future__ import annotations

import threading
import time
import uuid
from types import SimpleNamespace

import torch
from contract import note, sound, tokens, work


class CosyVoice3Model:
    """The language model runs in a thread. As in the real one, nobody hears of it when that dies: its end is
    never noted, and `tts` waits for ever.
    """

    def __init__(self):
        self.llm = SimpleNamespace(llm=SimpleNamespace(model=torch.Module()))
        self.lock = threading.Lock()
        self.tts_speech_token_dict = {}
        self.llm_end_dict = {}
        self.hift_cache_dict = {}

    def llm_job(self, text, prompt_text, llm_prompt_speech_token, llm_embedding, uuid):
        for at in range(tokens(text)):
            note(f"token {at} of {text}")
            self.llm.llm.model(inputs_embeds=None)
            work(text, at)
            self.tts_speech_token_dict[uuid].append(at)
        self.llm_end_dict[uuid] = True

    def tts(self, text, voice):
        assert not self.tts_speech_token_dict, "a session was left behind"
        session = str(uuid.uuid1())
        self.tts_speech_token_dict[session] = made = []
        self.llm_end_dict[session] = False
        self.hift_cache_dict[session] = None
        thread = threading.Thread(target=self.llm_job, args=(text, None, None, None, session))
        thread.start()
        count = tokens(text)
        whole = sound(text, count, 24000).unsqueeze(0)
        step = whole.shape[1] // count
        begun = 0
        while True:
            time.sleep(0.005)
            if len(made) - begun >= 25:
                yield {"tts_speech": whole[:, begun * step : (begun + 25) * step]}
                begun += 25
            if self.llm_end_dict[session] and len(made) - begun < 25:
                break
        thread.join()
        assert made, "cannot concatenate no tokens"
        yield {"tts_speech": whole[:, begun * step :]}
        for kept in (self.tts_speech_token_dict, self.llm_end_dict, self.hift_cache_dict):
            kept.pop(session)
        note(f"spoken with {voice}: {text}")


class CosyVoice3:
    def __init__(self, model_dir, load_trt=False, load_vllm=False, fp16=False, trt_concurrent=1):
        self.sample_rate = 24000
        self.frontend = SimpleNamespace(spk2info={})
        self.model = CosyVoice3Model()

    def add_zero_shot_spk(self, prompt_text, prompt_wav, zero_shot_spk_id):
        assert zero_shot_spk_id != "", "do not use empty zero_shot_spk_id"
        assert "<|endofprompt|>" in prompt_text
        note(f"derived from {prompt_wav}")
        self.frontend.spk2info[zero_shot_spk_id] = f"clone of {prompt_wav}"
        return True

    def inference_zero_shot(
        self,
        tts_text,
        prompt_text,
        prompt_wav,
        zero_shot_spk_id="",
        stream=False,
        speed=1.0,
        text_frontend=True,
    ):
        assert stream
        yield from self.model.tts(tts_text, self.frontend.spk2info[zero_shot_spk_id])

    def inference_cross_lingual(
        self, tts_text, prompt_wav, zero_shot_spk_id="", stream=False, speed=1.0, text_frontend=True
    ):
        system, text = tts_text.split("<|endofprompt|>")
        assert stream
        assert system
        yield from self.model.tts(text, f"cross-lingual clone of {prompt_wav}")

    def inference_instruct2(
        self,
        tts_text,
        instruct_text,
        prompt_wav,
        zero_shot_spk_id="",
        stream=False,
        speed=1.0,
        text_frontend=True,
    ):
        assert instruct_text.endswith("<|endofprompt|>")
        note(f"instruction {instruct_text}")
        assert stream
        yield from self.model.tts(tts_text, f"clone of {prompt_wav}")


def AutoModel(**kwargs):
    return CosyVoice3(**kwargs)
