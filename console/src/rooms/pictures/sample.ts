/** A picture to try, drawn here: a shop window with a sign and a note on the door. */

const WIDTH = 1200;
const HEIGHT = 800;

export async function samplePicture(): Promise<File> {
  const canvas = document.createElement('canvas');
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const pen = canvas.getContext('2d');
  if (pen === null) throw new Error('This browser cannot draw.');
  drawShop(pen);
  drawWords(pen);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (blob === null) throw new Error('This browser cannot write pictures.');
  return new File([blob], 'sample-shop.png', { type: 'image/png' });
}

function drawShop(pen: CanvasRenderingContext2D): void {
  const fill = (color: string, x: number, y: number, width: number, height: number) => {
    pen.fillStyle = color;
    pen.fillRect(x, y, width, height);
  };
  fill('#dfe7ee', 0, 0, WIDTH, HEIGHT);
  fill('#b9b2a6', 0, 700, WIDTH, 100);
  fill('#7c4a3a', 90, 110, 1020, 600);
  fill('#f6f0e4', 130, 150, 940, 130);
  fill('#31465a', 150, 340, 560, 330);
  fill('#3f5a73', 170, 360, 520, 290);
  fill('#4b2c22', 780, 340, 260, 370);
  fill('#fbf8f1', 820, 390, 180, 190);
  for (let stripe = 0; stripe < 20; stripe += 1) {
    fill(stripe % 2 === 0 ? '#b5382c' : '#f6f0e4', 130 + stripe * 47, 290, 47, 46);
  }
  pen.fillStyle = '#d9b45f';
  pen.beginPath();
  pen.arc(1010, 540, 11, 0, 2 * Math.PI);
  pen.fill();
}

function drawWords(pen: CanvasRenderingContext2D): void {
  pen.textAlign = 'center';
  const write = (words: string, font: string, color: string, x: number, y: number) => {
    pen.font = font;
    pen.fillStyle = color;
    pen.fillText(words, x, y);
  };
  write('THE CORNER BAKERY', 'bold 66px Georgia, serif', '#4b2c22', 600, 238);
  write('Wonderful bread,', 'italic 52px Georgia, serif', '#ffffff', 430, 470);
  write('lovely people', 'italic 52px Georgia, serif', '#ffffff', 430, 540);
  write('OPEN', 'bold 50px sans-serif', '#1d6b45', 910, 460);
  write('8 to 6', '38px sans-serif', '#333333', 910, 530);
}
