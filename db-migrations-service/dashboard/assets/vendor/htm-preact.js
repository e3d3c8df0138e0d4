// What pages take from Preact, its hooks and htm.

import htm from './htm.js';
import { h } from './preact.js';

export const html = htm.bind(h);
export { createContext, render } from './preact.js';
export { useCallback, useContext, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from './hooks.js';
