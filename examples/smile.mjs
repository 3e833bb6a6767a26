// Asks SmileApi about pictures: node smile.mjs a.jpg b.jpg ... (Node 18 or newer, no packages).

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import readline from "node:readline";

const service = process.env.SMILE_API ?? "http://localhost:8080";

/** One picture: its verdict, or the problem with it. */
async function classify(path) {
  const response = await fetch(`${service}/classify`, { method: "POST", body: await readFile(path) });
  return { name: path, [response.ok ? "result" : "problem"]: await response.json() };
}

/** Many pictures in one request: a result for each, in their order, as they come. Pictures are read as they are sent. */
async function* classifyMany(paths) {
  const request = http.request(`${service}/classify/batch`, { method: "POST", headers: { "Content-Type": "application/x-ndjson" } });
  const answered = once(request, "response");

  // The service reads as fast as its results are read, so that both must go on at the same time.
  const sent = (async () => {
    for (const path of paths) {
      const line = JSON.stringify({ name: path, image: (await readFile(path)).toString("base64") }) + "\n";
      if (!request.write(line)) await once(request, "drain");
    }
    request.end();
  })();

  const [response] = await Promise.race([answered, sent.then(() => answered)]);
  for await (const line of readline.createInterface({ input: response })) {
    const result = JSON.parse(line);
    if (response.statusCode !== 200) throw new Error(result.detail);
    if (result.index === undefined) throw new Error(result.problem.detail);
    yield result;
  }
}

const paths = process.argv.slice(2);
if (paths.length === 0) {
  console.error("usage: node smile.mjs PICTURE...");
  process.exit(1);
}

try {
  for await (const { name, result, problem } of paths.length === 1 ? [await classify(paths[0])] : classifyMany(paths)) {
    console.log(`${name}: ${problem?.detail ?? result.probability?.toFixed(3) ?? "no face"}`);
  }
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
