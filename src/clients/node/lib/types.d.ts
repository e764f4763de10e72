// Types of the interface's data, from the service's OpenAPI document, and types made of them.

import type { components } from './openapi.js';
import type { EventActions } from './events/event.js';

/** The schemas of the OpenAPI document. */
export type Schemas = components['schemas'];

/** The filter of a list: the query of its operation without the parameters of paging. */
export type Filter<Query extends keyof Schemas> = Omit<Schemas[Query], 'limit' | 'cursor'>;

/** An event as JSON: a CloudEvent of the service. */
export type EventJson = Schemas['Event'];

/** The whole type of an event, such as `tertulia.message`. */
export type FullEventType = EventJson['type'];

/** The type of an event, whole or without `tertulia.`. */
export type EventType = FullEventType | (FullEventType extends `tertulia.${infer Short}` ? Short : never);

type Full<Type extends EventType> = Type extends FullEventType ? Type : `tertulia.${Type}`;

/** The events of some types, as JSON. A reader also gets gaps, which no filter excludes. */
export type EventJsonOf<Type extends EventType = EventType> = Extract<EventJson, { type: Full<Type> | 'tertulia.gap' }>;

/** The events of some types, with the actions that answer them. */
export type EventOf<Type extends EventType = EventType> = EventJsonOf<Type> & EventActions;

/** Any event. */
export type Event = EventOf<EventType>;

/**
 * The result of a command. `repeated` is true if an earlier run of the event's handler has used the command's key
 * already.
 */
export type Repeatable<Result> = Result & { key: string; repeated?: true };

/** A bulk job to start. The filter needs a condition, or `all: true`. */
export type BulkOrder = Omit<Schemas['BulkOrder'], 'filter'> & { filter: Partial<Schemas['BulkFilter']> };

/** A problem's code, as the service of this version knows them. */
export type ProblemCode = Schemas['ProblemCode'];
