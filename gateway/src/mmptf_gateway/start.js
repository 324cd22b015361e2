// The part of the contract at a path, with the components that it refers to, directly or through others.
function partOf(contract, path) {
  const part = {openapi: contract.openapi, info: contract.info};
  const known = new Set();
  const waiting = [path];
  for (const keys of waiting) {
    let from = contract;
    let to = part;
    keys.forEach((key, n) => {
      from = from?.[key];
      if (n < keys.length - 1) to = to[key] ??= {};
      else if (from !== undefined) to[key] = from;
    });
    const text = JSON.stringify(from) ?? "";
    for (const [reference, section, name] of text.matchAll(/"#\/components\/([^"/]+)\/([^"/]+)/g)) {
      if (!known.has(reference)) waiting.push(["components", section, name]);
      known.add(reference);
    }
  }
  return part;
}

const Quick = () => ({
  // The contract is JSON: the parser of YAML, which reads it as well, takes fifty times as long.
  statePlugins: {
    spec: {
      wrapActions: {
        parseToJson: (parse, {specActions}) => (text) => {
          try {
            return specActions.updateJsonSpec(JSON.parse(text));
          } catch {
            return parse(text);
          }
        },
      },
    },
  },
  // Swagger UI would normalize the whole contract for each operation that is opened, two seconds each time.
  afterLoad() {
    const resolve = this.fn.resolveSubtree;
    this.fn.resolveSubtree = (contract, path, options) => resolve(partOf(contract, path), path, options);
  },
});

// What cannot be shown now is named at the top of the page, in place of an error and no page.
// Without validatorUrl: null, Swagger UI would send the contract's address to a validator of its makers.
SwaggerUIBundle({
  url: "openapi.json?partial=true",
  dom_id: "#contract",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  docExpansion: "none",
  filter: true,
  plugins: [Quick],
  tryItOutEnabled: true,
  validatorUrl: null,
});
