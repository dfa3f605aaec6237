import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from engines.routing.routes import SPOKEN, Chain
from ivr import config as models
from ivr import llm_config
from ivr.config import ConfigError, load
from ivr.web import config as web_config
from ivr.web import exotel_config


def write(folder: Path, text: str) -> Path:
    path = folder / "ivr.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_configuration_answers_loopback_only() -> None:
    config = load(Path(__file__).parents[2] / "ivr.yaml")
    assert all("127.0.0.1" in address for address in config.sip.listen)
    assert config.trunks["local"].allow == ["127.0.0.0/8", "::1/128"]


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load(write(tmp_path, "flows: my-flows\nstore: {path: data}\n"))
    assert (config.flows, config.store.path) == (tmp_path / "my-flows", tmp_path / "data")


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert load(write(tmp_path, "")).api.port == 8080


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sip: {listn: []}", "sip.listn: Extra inputs are not permitted"),
        ("sip: {listen: ['127.0.0.1']}", "sip.listen.0: Value error, write it as udp:127.0.0.1:5060"),
        (
            "sip: {listen: ['tls:127.0.0.1:5061']}",
            "sip: Value error, listening on tls: needs our certificate",
        ),
        (
            "sip: {tls: {certificate: a.pem, key: a.key, client_certificate: required}}",
            "sip.tls: Value error, client_certificate needs the authorities",
        ),
        ("trunks: {a: {allow: ['300.1.1.1']}}", "trunks.a.allow.0"),
        (
            "trunks: {a: {destinations: ['+91', 'sip:pbx.example:5060']}}",
            "trunks.a.destinations.1: Value error, write a prefix of numbers as +91 or 1860",
        ),
        ("engines: {tts: {hi: [indic-parlr]}}", "engines.tts.hi.0: Value error, no engine is called"),
        ("engines: {tts: {hi: kokoro}}", "engines.tts.hi: a language has a list of engines, {engines:"),
        ("engines: {tts: {hi: {prompt: kokoro}}}", "engines.tts.hi.prompt: a chain is a list of engines, or"),
        ("engines: {tts: {hi: {reply: [kokoro]}}}", "engines.tts.hi.prompt: Field required"),
        ("engines: {asr: {hi: {phrases: [deepgram]}}}", "engines.asr.hi.free: Field required"),
        ("engines: {tts: {hi: {prompt: [kokoro], numbers: []}}}", "engines.tts.hi.numbers: Extra inputs"),
        ("engines: {tts: {hi: {engines: [kokoro], hedge_ms: 0}}}", "engines.tts.hi.hedge_ms: Input should"),
        (
            "engines: {tts: {hi: [kokoro, kokoro]}}",
            "engines.tts.hi: Value error, kokoro is in the chain twice",
        ),
        ("engines: {tts: {mr: [kokoro]}}", "tts.mr: kokoro has no mr; it has en, hi"),
        ("engines: {asr: {en: {free: [kokoro]}}}", "engines.asr.en.free.0: Value error, kokoro speaks"),
        ("broker: {url: 'amqp://x'}", "broker.url: Value error, write it as mqtt://HOST"),
        ("broker: {url: 'mqtt://u:p@x'}", "broker.url: Value error, only host and port belong here"),
        ("broker: {url: 'mqtt://x', tls: {ca: ca.pem}}", "broker: Value error, tls is for mqtts:// alone"),
        ("broker: {url: 'mqtts://x', tls: {key: a}}", "broker.tls: Value error, certificate and key go"),
        ("broker: {url: 'mqtt://x', password: p}", "broker: Value error, password needs a username"),
        ("broker: {url: 'mqtt://x', topics: {a: 'x/#'}}", "broker.topics.a: Value error, + and # stand for"),
        ("broker: {url: 'mqtt://x', topics: {call.ended: x}}", "broker.topics.call.ended"),
        ("trunks: {a: {profile: exotel}}", "trunks.a: Value error, caller_id is needed"),
        ("trunks: {a: {users: {alice: guess}}}", "trunks.a.users.alice"),
        ("api: {keys: {a: {key: short, scopes: []}}}", "api.keys.a.key"),
        ("llm: {providers: [{name: a, url: 'gpu-1:8000', model: m}]}", "llm.providers.0.url"),
        ("llm: {providers: [{name: a, url: 'http://x/v1'}]}", "llm.providers.0.model: Field required"),
        ("llm: {providers: [{name: 'a b', url: 'http://x/v1', model: m}]}", "llm.providers.0.name"),
        (
            "llm: {providers: [{name: a, url: 'http://x', model: m}, {name: a, url: 'http://y', model: m}]}",
            "llm: Value error, the provider a is here twice",
        ),
        (
            "llm: {providers: [{name: a, url: 'http://x', model: m, options: {stream: false}}]}",
            "llm.providers.0.options: Value error, stream is set by us",
        ),
        ("llm: {slow_s: 2}", "llm: Value error, slow_s comes before second_s"),
        ("llm: {embeddings: {url: 'http://x'}}", "llm.embeddings.model"),
        (
            "llm: {embeddings: {engine: kokoro}}",
            "llm.embeddings.engine: Value error, kokoro speaks, it",
        ),
        ("llm: {embeddings: {engine: multilingual-e5}}", "did you mean multilingual-e5-small?"),
        ("llm: {embeddings: multilingual-e5-small}", "llm.embeddings: a model of meaning is {engine: NAME}"),
        ("knowledge: {'my notes': notes}", "knowledge.my notes"),
        ("trunks: [", "ivr.yaml"),
        ("{[a]: b}", "unhashable key"),
        ("sip: {listen: []}", "sip.listen: "),
        ("trunks:\n  a: {allow: []}\n  a: {proxy: x}\n", "a is here twice"),
        ("sip: {advertise: pbx.example}", "sip.advertise: Value error, 'pbx.example' does not appear"),
        ("media: {ports: [20000, 10000]}", "media.ports: Value error, 20000-10000 holds no pair"),
        ("media: {timeout_s: 0}", "media.timeout_s"),
        ("media: {rest_s: -1}", "media.rest_s"),
        ("trunks: {a: {codecs: []}}", "trunks.a.codecs: "),
        ("trunks: {a: {session_expires_s: 30}}", "trunks.a.session_expires_s: Value error, a session lasts"),
        ("limits: {call_s: -5}", "limits.call_s"),
        ("limits: {loop_lag_ms: 0}", "limits.loop_lag_ms"),
        ("webhook: {url: nonsense, secret: 0123456789abcdef}", "webhook.url"),
        ("endpoints: {a: {url: 'ftp://files.example'}}", "endpoints.a.url"),
        ("store: {path: '${NO_SUCH_VARIABLE}'}", "the environment variable NO_SUCH_VARIABLE is not set"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        load(write(tmp_path, text))


def test_all_mistakes_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, "api: {port: 70000}\nlimits: {calls: 0}\n"))
    assert "api.port" in str(caught.value)
    assert "limits.calls" in str(caught.value)


def test_a_file_in_another_encoding_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ivr.yaml").write_bytes("flows: प्रवाह\n".encode("utf-16"))
    with pytest.raises(ConfigError, match="UTF-8"):
        load(tmp_path / "ivr.yaml")


def test_a_missing_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: No such file"):
        load(tmp_path / "nowhere.yaml")


def test_secrets_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_TEST_SECRET", "a-secret-of-some-length")
    config = load(write(tmp_path, "webhook: {url: 'http://127.0.0.1/', secret: '${IVR_TEST_SECRET}'}"))
    assert config.webhook is not None
    assert config.webhook.secret == "a-secret-of-some-length"


def test_the_key_of_a_model_is_not_shown(tmp_path: Path) -> None:
    provider = "{name: a, url: 'http://x/v1', model: m, key: sk-secret}"
    text = f"llm: {{providers: [{provider}]}}\nknowledge: {{returns: notes}}"
    config = load(write(tmp_path, text))
    assert config.llm.providers[0].key == "sk-secret"
    assert "sk-secret" not in repr(config)
    assert config.knowledge == {"returns": tmp_path / "notes"}


def test_every_field_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    parts = [*vars(models).values(), *vars(llm_config).values(), *vars(web_config).values()]
    parts += vars(exotel_config).values()
    every = [m for m in parts if isinstance(m, type) and issubclass(m, BaseModel)]
    fields = {name for model in every for name in model.model_fields}
    assert {name for name in fields if not re.search(rf"\b{name}\b", page)} == set()


def test_a_chain_may_be_written_in_three_ways(tmp_path: Path) -> None:
    text = """
engines:
  tts_hedge_ms: 250
  tts:
    mr: [indic-parler]
    hi: {engines: [indic-parler, kokoro], hedge_ms: 400}
    en:
      prompt: [chatterbox-turbo, kokoro]
      reply: {engines: [kokoro], hedge_ms: 200}
  asr:
    hi: {free: [faster-whisper], phrases: []}
"""
    engines = load(write(tmp_path, text)).engines
    voices, recognisers = engines.voice_routes, engines.hearing_routes
    for purpose in SPOKEN:
        assert voices.chain("mr-IN", purpose) == Chain(("indic-parler",), 0.25)
        assert voices.chain("hi", purpose) == Chain(("indic-parler", "kokoro"), 0.4)
        assert voices.chain("fr", purpose) == Chain((), 0.25)
    assert (
        voices.chain("en", "number")
        == voices.chain("en", "prompt")
        == Chain(("chatterbox-turbo", "kokoro"), 0.25)
    )
    assert voices.chain("en", "reply") == Chain(("kokoro",), 0.2)
    assert recognisers.chain("hi", "free") == Chain(("faster-whisper",), 0.3)
    assert recognisers.chain("hi", "phrases") == Chain((), 0.3)
    assert voices.engines == ("indic-parler", "kokoro", "chatterbox-turbo")


def test_hours_of_campaigns_are_times_in_quotes(tmp_path: Path) -> None:
    config = load(write(tmp_path, 'campaigns: {hours: {from: "10:00", to: "20:30"}, reserve: 0.5}'))
    assert config.campaigns.hours.closes.isoformat("minutes") == "20:30"
    for written in ("21:00", '"21"', '"25:00"', "9"):
        with pytest.raises(ConfigError, match=r"hours\.to: .*in quotes"):
            load(write(tmp_path, f"campaigns: {{hours: {{to: {written}}}}}"))


def test_the_endpoint_of_the_server_cannot_be_somebody_elses(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="suppress-caller is the server's own"):
        load(write(tmp_path, "endpoints: {suppress-caller: {url: 'http://x/'}}"))
