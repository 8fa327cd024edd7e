// stork.js as an ES module: import { connect } from "/stork.mjs".
import "./stork.js";

export const { connect, StorkError, core } = globalThis.Stork;
export default globalThis.Stork;
