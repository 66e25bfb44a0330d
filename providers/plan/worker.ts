/** Entry of the planning thread: answers each input that it is sent with a plan or an error. */
import { answerQuestions } from "../threads";
import { plan } from "./plan";

answerQuestions(plan);
