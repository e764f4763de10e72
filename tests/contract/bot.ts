// A bot that uses the generated types. It is only compiled.
import type { components, operations } from "./openapi.js";

type Schemas = components["schemas"];
type Reply = operations["sendMessage"]["requestBody"]["content"]["application/json"];

export function reply(event: Schemas["Event"]): Reply | string | undefined {
    switch (event.type) {
        case "tertulia.message":
            if (event.data.role !== "CONSUMER" || typeof event.data.body !== "string") return undefined;
            return { text: `I heard ${event.data.body}`, dialog: event.data.dialogId };
        case "tertulia.dialog.close":
            return event.data.participantsDetails.map((one) => one.userId).join();
        case "tertulia.connection.waiting":
            return `${event.data.reason} until ${event.data.until}`;
        case "tertulia.gap":
            return "snapshot" in event.data ? event.data.snapshot : `${event.data.from} to ${event.data.to}`;
        default:
            return undefined;
    }
}

export function why(problem: Schemas["Problem"]): boolean {
    const worthTrying: Schemas["ProblemCode"][] = ["overloaded", "not-connected", "timed-out"];
    return worthTrying.includes(problem.code);
}

export const first: Schemas["ConnectionDefinition"] = {
    id: "bots-2",
    account: "12345678",
    role: "brand",
    login: { username: "bot2", password: { env: "BOT2_PASSWORD" } },
    rings: "accept",
};

export const names = (page: Schemas["ConversationInBriefPage"]): string[] => page.items.map((one) => one.conversationId);
export const dialogs = (one: Schemas["Conversation"]): (string | undefined)[] => one.dialogs.map((each) => each.state);
