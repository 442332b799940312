// A picture of a chart: its panes and legends, one below the other, as they are on the page.

const LEGEND = 24;
const EDGE = 12;

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Draws a title and a stack of panes on one canvas, `width` px wide besides the edges, as sharp as the screen. */
export function pictureOf({ legends, candles, plots }, width, title) {
  const parts = [...(candles ? [candles.chart.takeScreenshot()] : []), ...plots.map((plot) => plot.ctx.canvas)];
  const heights = parts.map((part) => (part.height / part.width) * width);
  const canvas = document.createElement("canvas");
  const sharp = window.devicePixelRatio || 1;
  canvas.width = Math.round((width + 2 * EDGE) * sharp);
  canvas.height = Math.round((heights.reduce((sum, height) => sum + height + LEGEND, LEGEND) + 2 * EDGE) * sharp);
  const pen = canvas.getContext("2d");
  pen.scale(sharp, sharp);
  pen.fillStyle = style("--ground");
  pen.fillRect(0, 0, width + 2 * EDGE, canvas.height / sharp);
  pen.font = `600 14px ${style("--sans")}`;
  pen.fillStyle = style("--ink");
  pen.fillText(title, EDGE, EDGE + LEGEND - 10, width);
  let top = EDGE + LEGEND;
  parts.forEach((part, i) => {
    writeLegend(pen, legends[i].legend, top, width);
    top += LEGEND;
    pen.drawImage(part, EDGE, top, width, heights[i]);
    top += heights[i];
  });
  return canvas;
}

/** Writes the words of a legend in one line, with the colours of their lines. */
function writeLegend(pen, legend, top, width) {
  let left = EDGE;
  for (const entry of legend.children) {
    const swatch = entry.querySelector(".swatch");
    pen.font = `${entry.tagName === "STRONG" ? "600 " : ""}13px ${style("--sans")}`;
    if (swatch) {
      pen.fillStyle = getComputedStyle(swatch).borderTopColor;
      pen.fillRect(left, top + LEGEND / 2 - 2, 16, 3);
      left += 22;
    }
    pen.fillStyle = style(entry.tagName === "STRONG" ? "--ink" : "--soft");
    pen.fillText(entry.textContent, left, top + LEGEND - 8, Math.max(1, width + EDGE - left));
    left += pen.measureText(entry.textContent).width + 14;
    if (left > width) return;
  }
}
