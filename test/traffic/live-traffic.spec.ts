import { describeLiveTraffic } from "../drivers/live-traffic-contract";
import { describeOnEngines } from "./engines";

describeOnEngines("live traffic", describeLiveTraffic);
