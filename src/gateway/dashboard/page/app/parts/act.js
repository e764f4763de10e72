// The actions of a user in a conversation: send a message or a private note, transfer, close.

import { newKey, post } from '../api.js';
import { el, setAttribute, setText } from '../dom.js';
import { mayWrite } from '../session.js';
import { Action } from './action.js';

export class Acts {
  element;
  #model;
  #path;
  #through;
  #throughLabel;
  #text;
  #private;
  #send;
  #transfer;
  #close;
  #skill;
  #agent;
  #skills;
  #agents;
  #form;
  #hint;
  /** The idempotency key of the draft. If the same draft is sent again after a lost response, it is published once. */
  #draft = newKey();
  #listedFor = null;

  constructor(model, id) {
    this.#model = model;
    this.#path = `v1/conversations/${encodeURIComponent(id)}`;
    this.#through = el('select', { class: 'field', 'aria-label': 'Connection that acts' });
    this.#throughLabel = el('label', { class: 'acts-through' }, 'as ', this.#through);
    this.#text = el('textarea', {
      class: 'field acts-text',
      rows: 2,
      placeholder: 'Say something',
      'aria-label': 'Message',
      input: () => {
        this.#draft = newKey();
      },
      keydown: (event) => {
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          this.#send.click();
        }
      },
    });
    const field = (name, list) =>
      el('input', {
        class: 'field',
        type: 'text',
        list: list.id,
        placeholder: name,
        'aria-label': `${name} to transfer to`,
        autocomplete: 'off',
        spellcheck: 'false',
      });
    this.#skills = el('datalist', { id: 'skills-to-choose' });
    this.#agents = el('datalist', { id: 'agents-to-choose' });
    this.#skill = field('Skill id', this.#skills);
    this.#agent = field('Agent id', this.#agents);
    this.#private = el('input', {
      type: 'checkbox',
      change: () => {
        this.#draft = newKey();
        setText(this.#hint, '');
        setAttribute(this.#form, 'data-private', this.#private.checked ? '' : null);
        this.#text.placeholder = this.#private.checked ? 'A note that the consumer does not see' : 'Say something';
      },
    });
    const { announce } = model;
    const action = (more) => new Action({ announce, isTerse: true, ...more });
    this.#send = action({
      label: 'Send',
      describe: 'Send the message',
      done: 'Sent',
      act: () => this.#say(),
    });
    this.#transfer = action({
      label: 'Transfer',
      describe: 'Transfer the conversation',
      done: 'Transferred',
      act: () => this.#hand(),
    });
    this.#close = action({
      label: 'Close conversation',
      describe: 'Close the conversation',
      done: 'Closed',
      confirm: () => 'Really close it?',
      act: async () => {
        await this.#post('close', { survey: true });
      },
    });
    this.#hint = el('p', { class: 'acts-hint' });
    this.#form = el(
      'div',
      { class: 'acts-form' },
      this.#text,
      el(
        'div',
        { class: 'acts-row' },
        el('label', { class: 'acts-check' }, this.#private, 'Private note'),
        this.#throughLabel,
        this.#send.element,
      ),
      el(
        'details',
        { class: 'acts-more' },
        el('summary', { text: 'Transfer or close' }),
        el(
          'div',
          { class: 'acts-row' },
          this.#skill,
          this.#agent,
          this.#skills,
          this.#agents,
          this.#transfer.element,
          this.#close.element,
        ),
      ),
    );
    // Until the conversation's connections are known, nothing says which of them acts.
    setAttribute(this.#form, 'hidden', true);
    this.element = el('section', { class: 'acts', 'aria-label': 'Act in this conversation' }, this.#hint, this.#form);
  }

  /** `connections` are the connections that see the conversation. */
  render(members, connections) {
    const isOpen = members?.stage !== 'CLOSE';
    const may = mayWrite(this.#model.scope());
    setAttribute(this.#form, 'hidden', may && isOpen ? null : true);
    setText(
      this.#hint,
      may ? (isOpen ? '' : 'The conversation is closed.') : 'Enter a token that may write to act in this conversation.',
    );
    const choices = this.#ordered(connections);
    const known = [...this.#through.options].map(({ value }) => value);
    if (known.join('\n') !== choices.join('\n')) {
      const chosen = this.#through.value;
      this.#through.replaceChildren(...choices.map((name) => el('option', { value: name, text: name })));
      if (choices.includes(chosen)) this.#through.value = chosen;
    }
    setAttribute(this.#throughLabel, 'hidden', choices.length > 1 ? null : true);
    for (const action of [this.#send, this.#transfer, this.#close]) action.allow(this.#model.scope());
    this.#list();
  }

  /** The connections, agents first, because a consumer's connection would send as the consumer. */
  #ordered(connections) {
    const isForConsumers = (name) => Number(this.#model.fleet.isForConsumers(name));
    return [...connections].sort((one, other) => isForConsumers(one) - isForConsumers(other) || (one < other ? -1 : 1));
  }

  /** Suggests the names of skills and agents, where the platform reports names. */
  #list() {
    const { skills, agents } = this.#model.names.listed(this.#through.value);
    const listed = `${this.#through.value} ${skills.length} ${agents.length}`;
    if (listed === this.#listedFor) return;
    this.#listedFor = listed;
    const option = ({ id, name }) => el('option', { value: id, label: name });
    this.#skills.replaceChildren(...skills.map(option));
    this.#agents.replaceChildren(...agents.map(option));
  }

  async #post(act, body, key) {
    await post(`${this.#path}/${act}`, { connection: this.#through.value }, body, key);
  }

  async #say() {
    const text = this.#text.value.trim();
    if (text === '') throw new Error('Write something first.');
    const isPrivate = this.#private.checked;
    await this.#post('messages', isPrivate ? { text, private: true } : { text }, this.#draft);
    this.#draft = newKey();
    this.#text.value = '';
    this.#text.focus();
  }

  async #hand() {
    const [skillId, agentId] = [this.#skill.value.trim(), this.#agent.value.trim()];
    if (skillId === '' && agentId === '') throw new Error('Enter a skill or an agent first.');
    await this.#post('transfer', { ...(skillId && { skillId }), ...(agentId && { agentId }) });
    this.#skill.value = '';
    this.#agent.value = '';
  }
}
