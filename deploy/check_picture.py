"""Writes a HEIC file with a word in it to the standard output, as a telephone might send it."""

import sys

import pillow_heif
from PIL import Image, ImageDraw, ImageFont

if __name__ == "__main__":
    pillow_heif.register_heif_opener()
    image = Image.new("RGB", (480, 160), "white")
    ImageDraw.Draw(image).text((40, 40), "TELEPHONE", "black", ImageFont.load_default(64))
    image.save(sys.stdout.buffer, "HEIF")
