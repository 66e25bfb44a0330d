/**
 * Questions to worker threads: one message there, one back, with errors as data, for classes do not survive the way.
 *
 * Not for: how many threads there are and what they keep; whoever starts them says so.
 *
 * Invariant: an idle thread keeps no process alive.
 */
import { parentPort, Worker, type WorkerOptions } from "node:worker_threads";
import { ArchipelagoError, messageOf } from "../sdk/model";

type Answer =
  | { readonly kind: "value"; readonly value: unknown }
  | {
      readonly kind: "error";
      readonly error: {
        readonly name: string;
        readonly message: string;
        readonly stack?: string;
        /** The data of the error, such as `kind` and `mistakes`. */
        readonly members: { readonly [key: string]: unknown };
      };
    };

/** Nearly always it is memory that a thread ends for. */
const REMEDY = "run it again; if it happens again, the machine has too little memory for this fleet";

/** Starts a thread. It needs nothing of this process's flags, such as a debugger's. */
export function startThread(entry: string, options: Pick<WorkerOptions, "workerData"> = {}): Worker {
  const thread = new Worker(entry, { ...options, execArgv: [] });
  // What fails while nobody asks is met by whoever asks next.
  thread.on("error", () => undefined);
  thread.unref();
  return thread;
}

/**
 * Asks a thread that does nothing else meanwhile.
 * @param subject what is being done, for errors
 * @throws what the thread threw, with its data; ArchipelagoError when it ended without an answer
 */
export function askThread<T>(thread: Worker, question: unknown, subject: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onMessage = (answer: Answer): void => {
      settle();
      if (answer.kind === "value") resolve(answer.value as T);
      else reject(revive(answer.error));
    };
    const onError = (cause: unknown): void => {
      settle();
      reject(
        new ArchipelagoError(`${subject}: the worker thread failed (${messageOf(cause)})`, { cause, remedy: REMEDY }),
      );
    };
    const onExit = (code: number): void => {
      settle();
      reject(new ArchipelagoError(`${subject}: the worker thread ended with code ${String(code)}`, { remedy: REMEDY }));
    };
    const settle = (): void => {
      thread.off("message", onMessage).off("error", onError).off("exit", onExit).unref();
    };
    thread.on("message", onMessage).on("error", onError).on("exit", onExit).ref();
    thread.postMessage(question);
  });
}

/** In a thread: answers each question that it is asked. In the main thread it does nothing. */
export function answerQuestions(answer: (question: never) => unknown): void {
  parentPort?.on("message", (question: unknown) => {
    void answerTo(() => answer(question as never)).then((answered) => parentPort?.postMessage(answered));
  });
}

async function answerTo(answer: () => unknown): Promise<Answer> {
  try {
    return { kind: "value", value: await answer() };
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const { name, message, stack } = error;
    const members = JSON.parse(JSON.stringify(error)) as Readonly<Record<string, unknown>>;
    return { kind: "error", error: { name, message, members, ...(stack === undefined ? {} : { stack }) } };
  }
}

/** What recognises errors by `kind`, as all here does, sees the same error as without the thread. */
function revive({ name, message, stack, members }: Extract<Answer, { kind: "error" }>["error"]): Error {
  const error = Object.assign(new ArchipelagoError(message), members);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
