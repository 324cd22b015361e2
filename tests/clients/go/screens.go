// The calls of five screens with the client that openapi-generator makes for Go.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"mmptf"
)

var api *mmptf.APIClient
var ctx = context.Background()

// What an answer says that is not the one asked for.
func explained(err error) []string {
	var refused *mmptf.GenericOpenAPIError
	var problem mmptf.Problem
	if !errors.As(err, &refused) || json.Unmarshal(refused.Body(), &problem) != nil {
		return []string{"no answer"}
	}
	switch problem.Code {
	case mmptf.PROBLEMCODE_UNAVAILABLE, mmptf.PROBLEMCODE_SERVICE_UNREACHABLE, mmptf.PROBLEMCODE_SERVICE_TIMEOUT:
		return []string{"try again later"}
	}
	detail := problem.Detail
	if len(problem.Errors) > 0 {
		detail = problem.Errors[0].Detail
		if suggestion := problem.Errors[0].Suggestion.Get(); suggestion != nil {
			detail = *suggestion
		}
	}
	return []string{fmt.Sprintf("%s: %s", problem.Code, detail)}
}

func orElse(text mmptf.NullableString, other string) string {
	if value := text.Get(); value != nil {
		return *value
	}
	return other
}

func names(places []mmptf.ProgrammePlace) string {
	found := []string{}
	for _, place := range places {
		found = append(found, place.Name)
	}
	return strings.Join(found, ", ")
}

func programmes(country string) []string {
	countries := []string{country}
	page, _, err := api.ProgrammesAPI.ListProgrammes(ctx).Country(countries).Limit(5).Sort([]string{"-budget", "code"}).Execute()
	if err != nil {
		return explained(err)
	}
	counts, _, err := api.ProgrammesAPI.GetProgrammeFacets(ctx).Country(countries).Execute()
	if err != nil {
		return explained(err)
	}
	rows := []string{}
	for _, programme := range page.Items {
		amount, year := "no budget", "no year"
		if budget := programme.Budget.Get(); budget != nil {
			amount = budget.Amount + " " + budget.Currency
		}
		if duration := programme.Duration.Get(); duration != nil {
			year = duration.Start[:4]
		}
		rows = append(rows, fmt.Sprintf("%s %s %s %s %s", programme.Code, programme.Stage, amount, year, names(programme.Places)))
	}
	for _, value := range counts.Facets["stage"] {
		rows = append(rows, fmt.Sprintf("%s: %d", orElse(value.Name, orElse(value.Value, "none")), value.Count))
	}
	return rows
}

// What a card says: one of three is there.
func facts(card *mmptf.ProgrammeCard) (string, mmptf.NullableTime) {
	if catalog := card.CatalogProgrammeCard; catalog != nil {
		return fmt.Sprintf("%s in %s", catalog.Facts.Status, names(catalog.Facts.Places)), catalog.Changed
	}
	if funding := card.FundingProgrammeCard; funding != nil {
		sum := funding.Facts.Transfers.Sum
		return fmt.Sprintf("%s %s transferred", sum.Amount, sum.Currency), funding.Changed
	}
	grades := []string{}
	for _, each := range card.MarkersProgrammeCard.Facts.Standings {
		grades = append(grades, each.Marker+" "+orElse(each.Grade, "not known"))
	}
	open := card.MarkersProgrammeCard.Facts.OpenActions
	return fmt.Sprintf("%s, %d open", strings.Join(grades, ", "), open), card.MarkersProgrammeCard.Changed
}

func programme(code string) []string {
	view, _, err := api.OneProgrammeAPI.GetProgrammeView(ctx, code).Execute()
	if err != nil {
		return explained(err)
	}
	rows := []string{}
	for _, part := range view.Parts {
		if card := part.Card.Get(); card != nil {
			said, changed := facts(card)
			day := "no date"
			if at := changed.Get(); at != nil {
				day = at.Format("2006-01-02")
			}
			rows = append(rows, fmt.Sprintf("%s: %s, %s", part.Service, said, day))
		} else if missing := part.Missing.Get(); missing != nil {
			reason := missing.Detail
			if missing.Code == mmptf.PROBLEMCODE_NOT_FOUND {
				reason = "nothing held"
			}
			rows = append(rows, fmt.Sprintf("%s: %s", part.Service, reason))
		}
	}
	return rows
}

func countryMap() []string {
	kinds := []mmptf.PlaceKind{mmptf.PLACEKIND_COUNTRY}
	places, _, err := api.CodeListsAPI.ListPlaces(ctx).Kind(kinds).Limit(1000).Execute()
	if err != nil {
		return explained(err)
	}
	by := []mmptf.RequirementDivision{mmptf.REQUIREMENTDIVISION_COUNTRY}
	totals, _, err := api.RequirementsAPI.GetRequirementTotals(ctx).By(by).Execute()
	if err != nil {
		return explained(err)
	}
	named := map[string]string{}
	for _, place := range places.Items {
		named[place.Code] = place.Name
	}
	rows := []string{}
	for _, total := range totals.Totals {
		for _, group := range total.Groups {
			for _, key := range group.Keys {
				if sum := group.Sum.Get(); sum != nil {
					name, known := named[key.Value]
					if !known {
						name = key.Value
					}
					rows = append(rows, fmt.Sprintf("%s: %s %s %s", name, total.Stage, sum.Amount, sum.Currency))
				}
			}
		}
	}
	return rows
}

func donors() []string {
	page, _, err := api.ContributionsAPI.ListContributors(ctx).Limit(1000).Execute()
	if err != nil {
		return explained(err)
	}
	statements, _, err := api.StatementsAPI.ListContributorStatements(ctx).Execute()
	if err != nil {
		return explained(err)
	}
	paid := map[string]mmptf.Money{}
	for _, item := range statements.Items {
		paid[item.Contributor] = item.Deposits.Sum
	}
	rows := []string{}
	for _, contributor := range page.Items {
		said := "nothing paid"
		if sum, found := paid[contributor.Code]; found {
			said = sum.Amount + " " + sum.Currency
		}
		rows = append(rows, fmt.Sprintf("%s (%s): %s", contributor.Name, contributor.Type, said))
	}
	return rows
}

func gauge() []string {
	answer, _, err := api.IndicatorAPI.GetIndicator(ctx).Execute()
	if err != nil {
		return explained(err)
	}
	targets, _, err := api.IndicatorAPI.ListIndicatorTargets(ctx).Execute()
	if err != nil {
		return explained(err)
	}
	reached := "not known"
	if share := answer.Whole.Share.Get(); share != nil {
		reached = share.PerCent
	}
	grades := []string{}
	for _, grade := range answer.Whole.Grades {
		grades = append(grades, fmt.Sprintf("%s: %d", orElse(grade.Grade, "none"), grade.Programmes))
	}
	rows := []string{}
	for _, target := range targets.Items {
		rows = append(rows, fmt.Sprintf("%s %s %s %s %s", target.Name, reached, target.Minimum.PerCent, answer.Whole.Standing, grades))
	}
	return rows
}

func main() {
	configuration := mmptf.NewConfiguration()
	configuration.Servers = mmptf.ServerConfigurations{{URL: os.Args[1]}}
	api = mmptf.NewAPIClient(configuration)
	shown, err := json.Marshal(map[string][]string{
		"programmes": programmes("SRB"), "programme": programme("SRB-01"), "map": countryMap(), "donors": donors(),
		"gauge": gauge(), "refused": programmes("SRV"),
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(shown))
}
