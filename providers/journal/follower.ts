/**
 * Who follows a run by what is stored in its journal: audit log, notices, traces.
 *
 * Not for: anything that the run waits for. A follower is told after the fact and never holds a run up.
 */
import type { JournalEntry } from "../../sdk/model";

/** Follows one run in one process. Its methods never throw. */
export interface JournalFollower {
  /** The journal was opened. @param entries what is stored already; none for a new run */
  begin(run: string, entries: readonly JournalEntry[]): void;
  /** These were stored. @param position of the first of them in the journal, from 0 */
  follow(entries: readonly JournalEntry[], position: number): void;
  /** The process lets go of the run; what is under way is ended within a bound in time. */
  end(): Promise<void>;
}

/** Several followers as one. */
export function joinFollowers(followers: readonly JournalFollower[]): JournalFollower {
  return {
    begin: (run, entries) => {
      for (const follower of followers) follower.begin(run, entries);
    },
    follow: (entries, position) => {
      for (const follower of followers) follower.follow(entries, position);
    },
    end: async () => {
      await Promise.all(followers.map((follower) => follower.end()));
    },
  };
}
