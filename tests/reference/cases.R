# The data sets of make_references.R: formula, response and, where there are any, trials, weights
# and offset. The formulas name R's own data; the design matrix itself is written to the JSON.

new_case <- function(name, source, formula, data, trials = 1, weights = 1, offset = 0,
                     separated = NULL) {
  frame <- model.frame(formula, data, na.action = na.fail)
  X <- model.matrix(formula, frame)
  n <- nrow(X)
  list(name = name, source = source, names = colnames(X), X = unname(X) + 0,
       y = as.numeric(model.response(frame)), trials = rep_len(as.numeric(trials), n),
       weights = rep_len(weights, n), offset = rep_len(offset, n), separated = separated)
}

binary_cases <- function() {
  births <- transform(MASS::birthwt, race = factor(race, labels = c("white", "black", "other")))
  # The simulation design of Kosmidis, Kenne Pagui and Sartori (2020), Statistics and Computing
  # 30:43-59, doi:10.1007/s11222-019-09860-6: no physician visit, response "not low".
  unvisited <- transform(subset(births, ftv == 0), normal = 1 - low, white = +(race == "white"),
                         early = +(ptl > 0), log_lwt = log(lwt))
  data(endometrial, package = "brglm2", envir = environment())
  urine <- na.omit(boot::urine)
  nodal <- data.frame(lapply(boot::nodal, function(column) as.numeric(as.character(column))))
  mgus2 <- na.omit(survival::mgus2[c("pstat", "age", "sex", "hgb", "creat", "mspike")])
  pima <- transform(MASS::Pima.tr, diabetes = +(type == "Yes"))
  list(
    new_case("birthwt", "MASS::birthwt", low ~ age + lwt + race + smoke + ht + ui, births),
    new_case("birthwt_unvisited", "MASS::birthwt, rows with ftv == 0, response 1 - low",
             normal ~ age + white + smoke + early + ht + log_lwt, unvisited),
    new_case("endometrial", "brglm2::endometrial", HG ~ NV + PI + EH, endometrial,
             separated = "NV"),
    new_case("urine", "boot::urine, complete rows",
             r ~ gravity + ph + osmo + cond + urea + calc, urine),
    new_case("mgus2", "survival::mgus2, complete rows of the columns used",
             pstat ~ age + sex + hgb + creat + mspike, mgus2),
    new_case("pima", "MASS::Pima.tr", diabetes ~ npreg + glu + bp + skin + bmi + ped + age, pima),
    new_case("infert", "datasets::infert, the matching ignored",
             case ~ age + parity + education + spontaneous + induced, infert),
    new_case("nodal", "boot::nodal", r ~ aged + stage + grade + xray + acid, nodal)
  )
}

# R before 4.1.0 had the cases counted among the controls of esoph (R NEWS 4.1.0, PR#17964).
# The corrected counts are the ones used: 200 cases, 775 controls.
corrected_esoph <- function() {
  stopifnot(sum(esoph$ncases) == 200, sum(esoph$ncontrols) == 775)
  esoph$agegp <- factor(esoph$agegp, ordered = FALSE)
  esoph$alcgp <- factor(esoph$alcgp, ordered = FALSE)
  esoph$tobacco <- as.integer(esoph$tobgp)
  esoph
}

# Tobacco budworm moths, 20 per dose and sex: Collett (1991), Modelling Binary Data, p. 75, as in
# Venables and Ripley (2002), Modern Applied Statistics with S, section 7.2.
budworm <- data.frame(
  dead = c(1, 4, 9, 13, 18, 20, 0, 2, 6, 10, 12, 16),
  male = rep(1:0, each = 6),
  log2_dose = rep(0:5, 2)
)

grouped_cases <- function() {
  esoph <- corrected_esoph()
  list(
    new_case("menarche", "MASS::menarche", Menarche ~ Age, MASS::menarche,
             trials = MASS::menarche$Total),
    new_case("esoph", "datasets::esoph as corrected in R 4.1.0", ncases ~ agegp + alcgp + tobacco,
             esoph, trials = esoph$ncases + esoph$ncontrols),
    new_case("budworm", "MASS scripts, budworm", dead ~ male + log2_dose, budworm, trials = 20)
  )
}

# Real designs with made-up weights, offsets and fractional counts; all are exact in binary or
# recorded to the last digit.
made_up_cases <- function() {
  row <- seq_len(nrow(infert))
  group <- seq_len(nrow(MASS::menarche))
  fractional <- transform(budworm, dead = 0.9 * dead + 0.75)
  list(
    new_case("infert_weighted", "datasets::infert with case weights 0, 1/2, 1, 3/2, 2 in turn",
             case ~ age + parity + education + spontaneous + induced, infert,
             weights = (row %% 5) / 2),
    new_case("menarche_offset", "MASS::menarche with offsets -3/8, -1/8, 1/8, 3/8 in turn",
             Menarche ~ Age, MASS::menarche, trials = MASS::menarche$Total,
             offset = (group %% 4) / 4 - 3 / 8),
    new_case("budworm_mixed", "budworm with counts 0.9 dead + 0.75, weights and offsets",
             dead ~ male + log2_dose, fractional, trials = 20,
             weights = c(0.5, 1.25, 2, 0.75), offset = c(0.25, -0.5, 0))
  )
}

cases <- function() c(binary_cases(), grouped_cases(), made_up_cases())
