"""LitServe: two model workers of one thread each, requests batched."""

from __future__ import annotations

import litserve

from sentiment import BATCH, PORT, Sentiment


class SentimentAPI(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = Sentiment()

    def decode_request(self, request: dict[str, str]) -> str:
        return request["text"]

    def predict(self, texts: list[str]) -> list[dict[str, object]]:
        return self.model.analyze(list(texts))

    def encode_response(self, output: dict[str, object]) -> dict[str, object]:
        return output


if __name__ == "__main__":
    api = SentimentAPI(max_batch_size=BATCH, batch_timeout=0.001)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=2)
    server.run(
        host="127.0.0.1",
        port=PORT,
        generate_client_file=False,
        log_level="warning",
        num_api_servers=1,
    )
