// The calls of five screens with openapi-fetch and the types of openapi-typescript.
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/schema";

type Problem = components["schemas"]["Problem"];
type ProblemCode = components["schemas"]["ProblemCode"];
type ProgrammeCard = components["schemas"]["ProgrammeCard"];

const client = createClient<paths, "application/json" | "application/problem+json">({ baseUrl: process.argv[2] ?? "http://localhost:8000" });

const later: ProblemCode[] = ["unavailable", "service_unreachable", "service_timeout"];

function explained(problem: Problem): string {
  if (later.includes(problem.code)) return "try again later";
  const [first] = problem.errors;
  return `${problem.code}: ${first?.suggestion ?? first?.detail ?? problem.detail}`;
}

async function programmes(country: string): Promise<string[]> {
  const query = { country: [country] };
  const [list, counts] = await Promise.all([
    client.GET("/catalog/v1/programmes", { params: { query: { ...query, limit: 5, sort: ["-budget", "code"] } } }),
    client.GET("/catalog/v1/programmes/facets", { params: { query } }),
  ]);
  if (list.error) return [explained(list.error)];
  if (counts.error) return [explained(counts.error)];
  const rows = list.data.items.map((programme) => {
    const budget = programme.budget ? `${programme.budget.amount} ${programme.budget.currency}` : "no budget";
    const year = programme.duration?.start.slice(0, 4) ?? "no year";
    return `${programme.code} ${programme.stage} ${budget} ${year} ${programme.places.map((place) => place.name).join()}`;
  });
  const stages = (counts.data.facets["stage"] ?? []).map((value) => `${value.name ?? value.value}: ${value.count}`);
  return [...rows, ...stages];
}

// What a card says, which follows from its service.
function facts(card: ProgrammeCard): string {
  switch (card.service) {
    case "catalog":
      return `${card.facts.status} in ${card.facts.places.map((place) => place.name).join(", ")}`;
    case "funding":
      return `${card.facts.transfers.sum.amount} ${card.facts.transfers.sum.currency} transferred`;
    case "markers": {
      const grades = card.facts.standings.map((each) => `${each.marker} ${each.grade ?? "not known"}`);
      return `${grades.join(", ")}, ${card.facts.open_actions} open`;
    }
  }
}

async function programme(code: string): Promise<string[]> {
  const { data, error } = await client.GET("/programmes/{code}", { params: { path: { code } } });
  if (error) return [explained(error)];
  return data.parts.map((part) => {
    if (!part.card) return `${part.service}: ${part.missing?.code === "not_found" ? "nothing held" : part.missing?.detail}`;
    return `${part.service}: ${facts(part.card)}, ${part.card.changed?.slice(0, 10) ?? "no date"}`;
  });
}

async function map(): Promise<string[]> {
  const [places, totals] = await Promise.all([
    client.GET("/catalog/v1/places", { params: { query: { kind: ["country"], limit: 1000 } } }),
    client.GET("/funding/v1/requirements/totals", { params: { query: { by: ["country"] } } }),
  ]);
  if (places.error) return [explained(places.error)];
  if (totals.error) return [explained(totals.error)];
  const names = new Map(places.data.items.map((place) => [place.code, place.name]));
  return totals.data.totals.flatMap((total) =>
    total.groups.flatMap((group) => {
      const country = group.keys.find((key) => key.by === "country");
      if (!country || !group.sum) return [];
      return [`${names.get(country.value) ?? country.value}: ${total.stage} ${group.sum.amount} ${group.sum.currency}`];
    }),
  );
}

async function donors(): Promise<string[]> {
  const [contributors, statements] = await Promise.all([
    client.GET("/funding/v1/contributors", { params: { query: { limit: 1000 } } }),
    client.GET("/funding/v1/statement/contributors"),
  ]);
  if (contributors.error) return [explained(contributors.error)];
  if (statements.error) return [explained(statements.error)];
  const paid = new Map(statements.data.items.map((item) => [item.contributor, item.deposits.sum]));
  return contributors.data.items.map((contributor) => {
    const sum = paid.get(contributor.code);
    return `${contributor.name} (${contributor.type}): ${sum ? `${sum.amount} ${sum.currency}` : "nothing paid"}`;
  });
}

async function gauge(): Promise<string[]> {
  const [indicator, targets] = await Promise.all([
    client.GET("/markers/v1/indicator"),
    client.GET("/markers/v1/targets"),
  ]);
  if (indicator.error) return [explained(indicator.error)];
  if (targets.error) return [explained(targets.error)];
  const { whole } = indicator.data;
  const reached = whole.share?.per_cent ?? "not known";
  const grades = whole.grades.map((grade) => `${grade.grade ?? "none"}: ${grade.programmes}`);
  return targets.data.items.map((target) =>
    [target.name, reached, target.minimum.per_cent, whole.standing, ...grades].join(" "),
  );
}

async function main(): Promise<void> {
  const refused = await programmes("SRV");
  console.log(JSON.stringify({
    programmes: await programmes("SRB"), programme: await programme("SRB-01"), map: await map(), donors: await donors(),
    gauge: await gauge(), refused,
  }));
}

void main();
