/** Calendar of maintenance windows: openings and mistakes. Pure: time is a parameter. */
export { currentOpening, nextOpenings, openingsOf } from "./openings";
export { strictestLimits } from "./compose";
export { validateWindow, validateWindows } from "./validate-window";
