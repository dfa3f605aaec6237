"""The HTTP service of the voices: `create_app` over engines that run."""
