// Preact with htm: templates that browsers read as they are.
import { h, render } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

export { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
export { h, render };
export const html = htm.bind(h);
