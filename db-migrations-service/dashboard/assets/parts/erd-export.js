// The drawing as a file: what the styles say is written into it, so that it looks the same anywhere.

const WRITTEN = ['fill', 'stroke', 'stroke-width', 'opacity', 'font-family', 'font-size', 'font-weight', 'text-anchor'];
const SCALE = 2;

/** The whole drawing as SVG text, whatever part of it is seen. */
export function svgText(svg, { width, height }) {
  const copy = svg.cloneNode(true);
  const [live, written] = [svg.querySelectorAll('*'), copy.querySelectorAll('*')];
  live.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of WRITTEN) written[i].setAttribute(name, style.getPropertyValue(name));
    for (const name of ['class', 'tabindex', 'role', 'aria-label', 'aria-pressed']) written[i].removeAttribute(name);
  });
  const margin = 24;
  copy.querySelector('g').removeAttribute('transform');
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('viewBox', `${-margin} ${-margin} ${width + margin * 2} ${height + margin * 2}`);
  copy.setAttribute('width', width + margin * 2);
  copy.setAttribute('height', height + margin * 2);
  for (const name of ['class', 'tabindex', 'role', 'aria-label']) copy.removeAttribute(name);
  const ground = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  Object.entries({ x: -margin, y: -margin, width: width + margin * 2, height: height + margin * 2, fill: getComputedStyle(svg).backgroundColor }).forEach(([name, value]) => ground.setAttribute(name, value));
  copy.prepend(ground);
  return new XMLSerializer().serializeToString(copy);
}

function save(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export const saveSvg = (svg, size) => save(new Blob([svgText(svg, size)], { type: 'image/svg+xml' }), 'erd.svg');

export async function savePng(svg, size) {
  const url = URL.createObjectURL(new Blob([svgText(svg, size)], { type: 'image/svg+xml' }));
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = image.naturalWidth * SCALE;
  canvas.height = image.naturalHeight * SCALE;
  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(url);
  const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
  if (blob) save(blob, 'erd.png');
}
