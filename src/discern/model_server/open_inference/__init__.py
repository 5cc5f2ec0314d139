"""The Open Inference Protocol, version 2: its tensors, its messages, and our models as it sees
them. https://github.com/kserve/open-inference-protocol"""
