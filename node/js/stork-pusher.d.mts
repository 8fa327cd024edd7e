export * from "./stork-pusher.js";
