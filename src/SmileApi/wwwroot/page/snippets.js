// The request of this page, ready to copy. Each runs as it is, with nothing to install.

import { address, base } from './service.js';

const shell = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;
const quoted = (text) => JSON.stringify(text);

/** @param {{query: object, file: string, withKey: boolean}} request the options, the file's name, and whether a key is sent. */
export const snippets = {
  curl: ({ query, file, withKey }) => [
    `curl --data-binary ${shell(`@${file}`)} \\`,
    ...(withKey ? ['  -H "X-API-Key: $SMILE_KEY" \\'] : []),
    `  ${shell(base + address('classify', query))}`,
  ].join('\n'),

  python: ({ query, file, withKey }) => [
    'import json',
    ...(withKey ? ['import os'] : []),
    'from urllib.request import Request, urlopen',
    '',
    `with open(${quoted(file)}, "rb") as picture:`,
    '    request = Request(',
    `        ${quoted(base + address('classify', query))},`,
    '        data=picture.read(),',
    `        headers={"Content-Type": "application/octet-stream"${withKey ? ', "X-API-Key": os.environ["SMILE_KEY"]' : ''}})`,
    'with urlopen(request) as answer:',
    '    verdict = json.load(answer)',
    '',
    'for face in verdict["faces"]:',
    '    print(face["smile"], face["probability"], face["box"])',
  ].join('\n'),

  javascript: ({ query, file, withKey }) => [
    'import { readFile } from "node:fs/promises";',
    '',
    `const answer = await fetch(${quoted(base + address('classify', query))}, {`,
    '  method: "POST",',
    ...(withKey ? ['  headers: { "X-API-Key": process.env.SMILE_KEY },'] : []),
    `  body: await readFile(${quoted(file)}),`,
    '});',
    'const verdict = await answer.json();',
    'if (!answer.ok) throw new Error(verdict.detail);',
    '',
    'for (const face of verdict.faces) {',
    '  console.log(face.smile, face.probability, face.box);',
    '}',
  ].join('\n'),

  csharp: ({ query, file, withKey }) => [
    'using System.Text.Json.Nodes;',
    '',
    'using var http = new HttpClient();',
    ...(withKey ? ['http.DefaultRequestHeaders.Add("X-API-Key", Environment.GetEnvironmentVariable("SMILE_KEY"));'] : []),
    `using var picture = new StreamContent(File.OpenRead(${quoted(file)}));`,
    'using var answer = await http.PostAsync(',
    `    ${quoted(base + address('classify', query))}, picture);`,
    'var verdict = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;',
    'if (!answer.IsSuccessStatusCode) throw new Exception((string)verdict["detail"]!);',
    '',
    'foreach (var face in verdict["faces"]!.AsArray())',
    '{',
    '    Console.WriteLine($"{face!["smile"]} {face["probability"]} {face["box"]}");',
    '}',
  ].join('\n'),
};
