/**
 * Loaded by mocha before the specs: properties are tried with the same cases every time, so that a test run says
 * something of the change and not of luck. `npm run test:properties` goes on with other seeds.
 */
import fc from "fast-check";

const { ARCHIPELAGO_PROPERTY_SEED: seed = "1" } = process.env;
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) });
