"""Makes detectors smaller: static int8 quantization, calibrated on photographs."""
