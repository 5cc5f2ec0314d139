"""FastAPI and ONNX Runtime, two worker processes of one thread each, no batching."""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from sentiment import PORT, Sentiment


class Question(BaseModel):
    text: str


app = FastAPI()
if __name__ != "__main__":
    model = Sentiment()


@app.post("/analyze")
async def analyze(question: Question) -> dict[str, object]:
    # Inline on purpose: with one thread a worker, a hop to a thread pool only costs time here.
    return model.analyze([question.text])[0]


if __name__ == "__main__":
    uvicorn.run("fastapi_app:app", host="127.0.0.1", port=PORT, workers=2, log_level="warning")
