// The contract, once it is loaded. Swagger UI gets an outline of it, and the whole of what a reader opens.
let contract;

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

function mapValues(object, change) {
  return Object.fromEntries(Object.entries(object ?? {}).map(([key, value]) => [key, change(value, key)]));
}

// What is shown before anything is opened: no parameters, bodies and answers; of the schemas their names, types and
// descriptions, since Swagger UI lets nobody open a schema that has nothing besides its type.
function outlineOf({components, info, paths, ...rest}) {
  const brief = ({deprecated, operationId, security, summary, tags}) => ({
    deprecated, operationId, security, summary, tags,
  });
  const schemas = mapValues(components?.schemas, ({description, type}) => ({description, type}));
  return {
    ...rest,
    info: {...info, description: folded(info.description)},
    paths: mapValues(paths, (item) => mapValues(item, (value, key) => (METHODS.includes(key) ? brief(value) : value))),
    components: {securitySchemes: components?.securitySchemes, schemas},
  };
}

// A text whose chapters are closed until they are opened, so that the operations are on the first screen.
function folded(text) {
  const [introduction, ...chapters] = (text ?? "").split(/^## /m);
  const details = chapters.map((chapter) => {
    const [title, ...lines] = chapter.split("\n");
    return `<details>\n<summary>${title}</summary>\n\n${lines.join("\n").trim()}\n\n</details>`;
  });
  return [introduction.trim(), ...details].join("\n\n");
}

// The part of the contract at a path, with the components that it refers to, directly or through others.
function partOf(path) {
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

// The part of the contract with an operation, as it is shown: which token it needs and how one gets it stand before its
// description, and the body that all errors have is shown with `default` only.
function operationOf(path) {
  const part = partOf(path);
  const [, template, method] = path;
  const operation = part.paths[template][method];
  const [[scheme, scopes] = []] = Object.entries(operation.security?.[0] ?? {});
  if (scheme) {
    const named = scopes.map((scope) => `\`${scope}\``).join(" or ");
    const token = `**Needs an access token** with the scope ${named}: enter it at "Authorize" or at the lock above.`;
    const about = contract.components.securitySchemes[scheme].description;
    part.paths[template][method] = {...operation, description: [token, about, operation.description].join("\n\n")};
  }
  for (const [name, {content, ...error}] of Object.entries(part.components?.responses ?? {})) {
    const isDefault = operation.responses.default?.$ref === `#/components/responses/${name}`;
    if (content?.["application/problem+json"] && !isDefault) part.components.responses[name] = error;
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
            contract = JSON.parse(text);
          } catch {
            return parse(text);
          }
          return specActions.updateJsonSpec(outlineOf(contract));
        },
      },
    },
  },
  // Swagger UI would normalize the whole contract for each operation that is opened, two seconds each time.
  afterLoad() {
    const resolve = this.fn.resolveSubtree;
    this.fn.resolveSubtree = (_, path, options) =>
      resolve(path[0] === "paths" && path.length === 3 ? operationOf(path) : partOf(path), path, options);
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
