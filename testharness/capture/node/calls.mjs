// What the clients for Node.js send: calls.mjs ORIGIN CALL
import http from "node:http";
import { Readable } from "node:stream";

const [origin, call] = process.argv.slice(2);
const LLAMA = "meta-llama/Llama-3.1-8B-Instruct";
const QWEN = "Qwen/Qwen2.5-1.5B-Instruct";
const messages = [{ role: "user", content: "Hello from Node 👋" }];

async function openai() {
  const { default: OpenAI } = await import("openai");
  return new OpenAI({ baseURL: `${origin}/v1`, apiKey: "not-a-key" });
}

async function anthropic() {
  const { default: Anthropic } = await import("@anthropic-ai/sdk");
  return new Anthropic({ baseURL: origin, apiKey: "not-a-key" });
}

const body = JSON.stringify({ model: QWEN, messages });
const json = { "content-type": "application/json" };

const calls = {
  chat: async () => (await openai()).chat.completions.create({ model: LLAMA, messages }),
  async "chat-stream"() {
    const stream = await (await openai()).chat.completions.create({ messages, stream: true, model: QWEN });
    for await (const _ of stream);
  },
  async "chat-tools"() {
    const tool = { type: "function", function: { name: "get_time", parameters: { type: "object", properties: {} } } };
    await (await openai()).chat.completions.create({ messages, tools: [tool], tool_choice: "auto", model: "food-review-1" });
  },
  embeddings: async () => (await openai()).embeddings.create({ input: ["a", "b"], model: QWEN }),
  responses: async () => (await openai()).responses.create({ input: "Hello", model: LLAMA }),
  async transcription() {
    const { toFile } = await import("openai");
    const file = await toFile(Buffer.from("RIFF"), "a.wav");
    await (await openai()).audio.transcriptions.create({ file, model: "openai/whisper-large-v3" });
  },
  messages: async () => (await anthropic()).messages.create({ max_tokens: 64, messages, model: LLAMA }),
  async "messages-stream"() {
    const stream = await (await anthropic()).messages.create({ max_tokens: 64, messages, model: QWEN, stream: true });
    for await (const _ of stream);
  },
  fetch: () => fetch(`${origin}/v1/chat/completions`, { method: "POST", headers: json, body }).then((r) => r.text()),
  // No content-type of one's own: fetch says text/plain.
  "fetch-text": () => fetch(`${origin}/v1/chat/completions`, { method: "POST", body }).then((r) => r.text()),
  "fetch-stream": () => {
    const half = Math.floor(body.length / 2);
    const parts = Readable.from([Buffer.from(body.slice(0, half)), Buffer.from(body.slice(half))]);
    const init = { method: "POST", headers: json, body: Readable.toWeb(parts), duplex: "half" };
    return fetch(`${origin}/v1/chat/completions`, init).then((r) => r.text());
  },
  // node:http without a content-length: chunked, a chunk for each write.
  http: () =>
    new Promise((done) => {
      const request = http.request(`${origin}/v1/chat/completions`, { method: "POST", headers: json });
      request.on("response", (response) => response.resume().on("end", done));
      request.write('{"model":"qwen-summ');
      setTimeout(() => request.end('arizer","messages":[]}'), 20);
    }),
};

await calls[call]();
process.exit(0);
