// The calls of five screens with the client that openapi-generator makes for Java.
import com.fasterxml.jackson.annotation.JsonSetter;
import com.fasterxml.jackson.annotation.Nulls;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.mmptf.client.ApiClient;
import org.mmptf.client.ApiException;
import org.mmptf.client.api.CodeListsApi;
import org.mmptf.client.api.ContributionsApi;
import org.mmptf.client.api.IndicatorApi;
import org.mmptf.client.api.OneProgrammeApi;
import org.mmptf.client.api.ProgrammesApi;
import org.mmptf.client.api.RequirementsApi;
import org.mmptf.client.api.StatementsApi;
import org.mmptf.client.model.CatalogProgrammeCard;
import org.mmptf.client.model.ErrorDetail;
import org.mmptf.client.model.FundingProgrammeCard;
import org.mmptf.client.model.MarkersProgrammeCard;
import org.mmptf.client.model.Money;
import org.mmptf.client.model.Place;
import org.mmptf.client.model.PlaceKind;
import org.mmptf.client.model.Problem;
import org.mmptf.client.model.ProblemCode;
import org.mmptf.client.model.ProgrammeCard;
import org.mmptf.client.model.ProgrammePlace;
import org.mmptf.client.model.RequirementDivision;

final class Screens {
  private static final Set<ProblemCode> LATER =
      Set.of(ProblemCode.UNAVAILABLE, ProblemCode.SERVICE_UNREACHABLE, ProblemCode.SERVICE_TIMEOUT);
  private static ApiClient client;

  private Screens() {}

  private interface Screen {
    List<String> rows() throws ApiException;
  }

  // The rows of a screen, or what an answer says that is not the one asked for.
  private static List<String> shown(Screen screen) throws JsonProcessingException {
    try {
      return screen.rows();
    } catch (ApiException refused) {
      if (refused.getResponseBody() == null) return List.of("no answer: " + refused.getMessage());
      Problem problem = client.getObjectMapper().readValue(refused.getResponseBody(), Problem.class);
      if (LATER.contains(problem.getCode())) return List.of("try again later");
      String detail = problem.getDetail();
      if (!problem.getErrors().isEmpty()) {
        ErrorDetail first = problem.getErrors().get(0);
        detail = orElse(first.getSuggestion(), first.getDetail());
      }
      return List.of(problem.getCode() + ": " + detail);
    }
  }

  private static String orElse(String text, String other) {
    return text == null ? other : text;
  }

  private static String written(Money sum, String other) {
    return sum == null ? other : sum.getAmount() + " " + sum.getCurrency();
  }

  private static String names(List<ProgrammePlace> places) {
    return places.stream().map(ProgrammePlace::getName).collect(Collectors.joining(", "));
  }

  private static List<String> programmes(String country) throws ApiException {
    ProgrammesApi api = new ProgrammesApi(client);
    List<String> countries = List.of(country);
    Set<String> order = new LinkedHashSet<>(List.of("-budget", "code"));
    var page =
        api.listProgrammes(
            ProgrammesApi.APIListProgrammesRequest.newBuilder().country(countries).limit(5).sort(order).build());
    var counts =
        api.getProgrammeFacets(ProgrammesApi.APIGetProgrammeFacetsRequest.newBuilder().country(countries).build());
    List<String> rows = new ArrayList<>();
    for (var programme : page.getItems()) {
      var budget = programme.getBudget();
      var duration = programme.getDuration();
      String amount = budget == null ? "no budget" : budget.getAmount() + " " + budget.getCurrency();
      String year = duration == null ? "no year" : String.valueOf(duration.getStart().getYear());
      String places = names(programme.getPlaces());
      rows.add(String.join(" ", programme.getCode(), programme.getStage().getValue(), amount, year, places));
    }
    for (var value : counts.getFacets().getOrDefault("stage", List.of())) {
      rows.add(orElse(value.getName(), orElse(value.getValue(), "none")) + ": " + value.getCount());
    }
    return rows;
  }

  // What a card says, which follows from its service.
  private static String facts(ProgrammeCard card) {
    if (card.getActualInstance() instanceof CatalogProgrammeCard catalog) {
      var facts = catalog.getFacts();
      return facts.getStatus() + " in " + names(facts.getPlaces()) + ", " + catalog.getChanged().toLocalDate();
    }
    if (card.getActualInstance() instanceof FundingProgrammeCard funding) {
      return written(funding.getFacts().getTransfers().getSum(), "nothing") + " transferred";
    }
    if (card.getActualInstance() instanceof MarkersProgrammeCard markers) {
      List<String> grades = new ArrayList<>();
      for (var each : markers.getFacts().getStandings()) {
        grades.add(each.getMarker() + " " + orElse(each.getGrade(), "not known"));
      }
      String day = markers.getChanged().toLocalDate().toString();
      return String.join(", ", grades) + ", " + markers.getFacts().getOpenActions() + " open, " + day;
    }
    return "another service";
  }

  private static List<String> programme(String code) throws ApiException {
    var view =
        new OneProgrammeApi(client)
            .getProgrammeView(OneProgrammeApi.APIGetProgrammeViewRequest.newBuilder().code(code).build());
    List<String> rows = new ArrayList<>();
    for (var part : view.getParts()) {
      var missing = part.getMissing();
      if (part.getCard() != null) {
        rows.add(part.getService() + ": " + facts(part.getCard()));
      } else if (missing != null) {
        boolean absent = missing.getCode() == ProblemCode.NOT_FOUND;
        rows.add(part.getService() + ": " + (absent ? "nothing held" : missing.getDetail()));
      }
    }
    return rows;
  }

  private static List<String> map() throws ApiException {
    var places =
        new CodeListsApi(client)
            .listPlaces(
                CodeListsApi.APIListPlacesRequest.newBuilder().kind(List.of(PlaceKind.COUNTRY)).limit(1000).build());
    var totals =
        new RequirementsApi(client)
            .getRequirementTotals(
                RequirementsApi.APIGetRequirementTotalsRequest.newBuilder()
                    .by(List.of(RequirementDivision.COUNTRY))
                    .build());
    Map<String, String> names = places.getItems().stream().collect(Collectors.toMap(Place::getCode, Place::getName));
    List<String> rows = new ArrayList<>();
    for (var total : totals.getTotals()) {
      for (var group : total.getGroups()) {
        for (var key : group.getKeys()) {
          if (group.getSum() == null) continue;
          String name = names.getOrDefault(key.getValue(), key.getValue());
          rows.add(name + ": " + total.getStage() + " " + written(group.getSum(), ""));
        }
      }
    }
    return rows;
  }

  private static List<String> donors() throws ApiException {
    var page =
        new ContributionsApi(client)
            .listContributors(ContributionsApi.APIListContributorsRequest.newBuilder().limit(1000).build());
    var statements =
        new StatementsApi(client)
            .listContributorStatements(StatementsApi.APIListContributorStatementsRequest.newBuilder().build());
    Map<String, Money> paid = new LinkedHashMap<>();
    for (var item : statements.getItems()) paid.put(item.getContributor(), item.getDeposits().getSum());
    List<String> rows = new ArrayList<>();
    for (var contributor : page.getItems()) {
      String sum = written(paid.get(contributor.getCode()), "nothing paid");
      rows.add(contributor.getName() + " (" + contributor.getType() + "): " + sum);
    }
    return rows;
  }

  private static List<String> gauge() throws ApiException {
    IndicatorApi api = new IndicatorApi(client);
    var whole = api.getIndicator(IndicatorApi.APIGetIndicatorRequest.newBuilder().build()).getWhole();
    var targets = api.listIndicatorTargets(IndicatorApi.APIListIndicatorTargetsRequest.newBuilder().build());
    String reached = whole.getShare() == null ? "not known" : whole.getShare().getPerCent();
    List<String> grades = new ArrayList<>();
    for (var grade : whole.getGrades()) grades.add(orElse(grade.getGrade(), "none") + ": " + grade.getProgrammes());
    List<String> rows = new ArrayList<>();
    for (var target : targets.getItems()) {
      String least = target.getMinimum().getPerCent();
      rows.add(String.join(" ", target.getName(), reached, least, whole.getStanding().getValue(), grades.toString()));
    }
    return rows;
  }

  public static void main(String[] arguments) throws JsonProcessingException {
    client = new ApiClient();
    client.updateBaseUri(arguments[0]);
    // The generated classes of unions, such as ProgrammeCard, refuse a member that is null.
    ObjectMapper mapper = ApiClient.createDefaultObjectMapper();
    mapper.setDefaultSetterInfo(JsonSetter.Value.forValueNulls(Nulls.SKIP));
    client.setObjectMapper(mapper);
    Map<String, List<String>> screens = new LinkedHashMap<>();
    screens.put("programmes", shown(() -> programmes("SRB")));
    screens.put("programme", shown(() -> programme("SRB-01")));
    screens.put("map", shown(Screens::map));
    screens.put("donors", shown(Screens::donors));
    screens.put("gauge", shown(Screens::gauge));
    screens.put("refused", shown(() -> programmes("SRV")));
    System.out.println(client.getObjectMapper().writeValueAsString(screens));
  }
}
