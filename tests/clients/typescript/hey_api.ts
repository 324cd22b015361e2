// The calls of five screens with the client of @hey-api/openapi-ts.
import { client } from "./generated/hey/client.gen";
import {
  getIndicator,
  getProgrammeFacets,
  getProgrammeView,
  getRequirementTotals,
  listContributorStatements,
  listContributors,
  listIndicatorTargets,
  listPlaces,
  listProgrammes,
} from "./generated/hey/sdk.gen";
import type { Problem, ProblemCode, ProgrammeCard } from "./generated/hey/types.gen";

client.setConfig({ baseUrl: process.argv[2] ?? "http://localhost:8000" });

const later: ProblemCode[] = ["unavailable", "service_unreachable", "service_timeout"];

function explained(problem: Problem): string {
  if (later.includes(problem.code)) return "try again later";
  const [first] = problem.errors;
  return `${problem.code}: ${first?.suggestion ?? first?.detail ?? problem.detail}`;
}

async function programmes(country: string): Promise<string[]> {
  const query = { country: [country] };
  const [list, counts] = await Promise.all([
    listProgrammes({ query: { ...query, limit: 5, sort: ["-budget", "code"] } }),
    getProgrammeFacets({ query }),
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
  const { data, error } = await getProgrammeView({ path: { code } });
  if (error) return [explained(error)];
  return data.parts.map((part) => {
    if (!part.card) return `${part.service}: ${part.missing?.code === "not_found" ? "nothing held" : part.missing?.detail}`;
    return `${part.service}: ${facts(part.card)}, ${part.card.changed?.slice(0, 10) ?? "no date"}`;
  });
}

async function map(): Promise<string[]> {
  const [places, totals] = await Promise.all([
    listPlaces({ query: { kind: ["country"], limit: 1000 } }),
    getRequirementTotals({ query: { by: ["country"] } }),
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
    listContributors({ query: { limit: 1000 } }),
    listContributorStatements(),
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
    getIndicator(),
    listIndicatorTargets(),
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
