"""The language models that the configuration names."""

from __future__ import annotations

from engines.contract import EngineError
from engines.llm.chain import Count, ModelChain, Observe, Patience
from engines.llm.openai_model import OpenAiModel, Prices, Provider
from ivr.config import ConfigError
from ivr.llm_config import Llm, LlmProvider


def model_of(provider: LlmProvider) -> OpenAiModel:
    """Raises `ConfigError` where the package that it needs is missing."""
    try:
        return OpenAiModel(
            Provider(
                provider.name,
                provider.url,
                provider.model,
                provider.key,
                Prices(provider.price_in, provider.price_out),
                provider.options,
            )
        )
    except EngineError as error:
        raise ConfigError(f"llm.providers: {error}") from error


def chain_of(
    config: Llm,
    observe: Observe = lambda name, outcome, first_s: None,
    count: Count = lambda name, usage: None,
) -> ModelChain | None:
    """All providers as one model, which is to be started and closed; None where there are none. Raises
    `ConfigError`."""
    if not config.providers:
        return None
    patience = Patience(config.slow_s, config.second_s)
    return ModelChain([model_of(provider) for provider in config.providers], patience, observe, count)
