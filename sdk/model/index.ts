/** The model: plain data and pure functions shared by program, provider and agent. */
export * from "./units";
export * from "./errors";
export * from "./fleet";
export * from "./series";
export * from "./grid";
export * from "./forecast";
export * from "./policy";
export * from "./local-fleet";
export * from "./plan";
export * from "./run";
export * from "./report";
export * from "./canonical";
export * from "./did-you-mean";
export * from "./plan-view";
export * from "./stop-request";
export * from "./control";
export * from "./guard";
