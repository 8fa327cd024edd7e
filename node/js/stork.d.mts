export * from "./stork.js";
