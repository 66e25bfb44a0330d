/** What users write, checked and resolved: shared by the components and by window files. Imports the model alone. */
export * from "./rules";
export * from "./placement";
export * from "./disruption";
export * from "./workload";
export * from "./signals";
export * from "./island";
export * from "./pool";
export * from "./window";
export * from "./events";
export * from "./prices";
export * from "./guard";
export * from "./update";
export * from "./rebalance";
export * from "./window-file";
