/** Entry of the thread of a check: answers with the plan. */
import { answerQuestions } from "../threads";
import { planForCheck } from "./plan-for-check";
import { received, type RunInputs, type Sent } from "./run-inputs";

/** Inputs as the engine holds them, and the earlier ones, where there are any. */
export interface CheckQuestion {
  readonly news: Sent<RunInputs>;
  readonly olds: Partial<Sent<RunInputs>>;
}

answerQuestions(({ news, olds }: CheckQuestion) =>
  planForCheck(received(news), olds.spec === undefined ? {} : received({ ...olds, spec: olds.spec })),
);
