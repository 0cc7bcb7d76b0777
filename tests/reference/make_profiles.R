# Reference numbers for profiles and joint regions: MASS::birthwt as in cases.R.
#   Rscript make_profiles.R
# The profile is that of MASS's profile.glm, which refits with the coefficient in the offset; a
# point of the region's boundary is where a ray from the estimate crosses it, by uniroot on
# refits with both coefficients in the offset.
source("json.R")
library(MASS)

births <- transform(birthwt, race = factor(race, labels = c("white", "black", "other")))
control <- glm.control(epsilon = 1e-15, maxit = 200)
full <- glm(low ~ age + lwt + race + smoke + ht + ui, binomial, births, control = control)
X <- model.matrix(full)
term <- "smoke"
path <- profile(full, which = term, alpha = 0.01)[[term]]

pair <- c("lwt", "ht")
level <- 0.95
beta <- coef(full)[pair]
se <- sqrt(diag(vcov(full)))[pair]
drop_at <- function(b) {
  held <- glm.fit(X[, setdiff(colnames(X), pair)], births$low, family = binomial(),
                  offset = drop(X[, pair] %*% b), control = control)
  held$deviance - full$deviance
}
on_ray <- function(angle) {
  ray <- c(cos(angle), sin(angle)) * se
  reach <- uniroot(function(t) sqrt(max(0, drop_at(beta + t * ray))) - sqrt(qchisq(level, 2)),
                   c(0.1, 8), tol = 1e-14)$root
  beta + reach * ray
}
angles <- 2 * pi * (0:11) / 12
crossings <- t(sapply(angles, on_ray))

write_json(list(
  term = term, value = path$par.vals[, term], signed_root = path[[1]],
  coef = unname(path$par.vals), pair = pair, level = level, crossings = unname(crossings),
  made_with = paste(R.version.string, "MASS", packageVersion("MASS"))
), "profiles/birthwt.json")
