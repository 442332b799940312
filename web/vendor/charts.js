// What the pages draw with: candles by lightweight-charts, metrics by uPlot.
export { CandlestickSeries, ColorType, CrosshairMode, createChart } from "lightweight-charts";
export { default as uPlot } from "uplot";
