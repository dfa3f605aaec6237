"""The ASR service: files and streams of speech in, text out, over HTTP and WebSocket."""
