from __future__ import annotations

from queue import Queue


class AudioStreamer:
    def __init__(
        self, batch_size, stop_signal=None, timeout=None, max_queue_size=None, queue_overflow="block"
    ):
        self.stop_signal = stop_signal
        self.timeout = timeout
        self.audio_queues = [Queue() for _ in range(batch_size)]
        self.finished_flags = [False] * batch_size

    def put(self, audio_chunks, sample_indices):
        for chunk, index in zip(audio_chunks, sample_indices, strict=True):
            if not self.finished_flags[index]:
                self.audio_queues[index].put(chunk)

    def end(self, sample_indices=None):
        for index, finished in enumerate(self.finished_flags):
            if not finished:
                self.audio_queues[index].put(self.stop_signal)
                self.finished_flags[index] = True

    def get_stream(self, sample_idx):
        return _Stream(self, sample_idx)


class _Stream:
    def __init__(self, streamer, index):
        self.streamer = streamer
        self.index = index

    def __iter__(self):
        return self

    def __next__(self):
        value = self.streamer.audio_queues[self.index].get(timeout=self.streamer.timeout)
        if value == self.streamer.stop_signal:
            raise StopIteration
        return value
