# Reference numbers for sandwich covariances, their tests, and influence, beside those of
# make_references.R; the data are the same.
#
#   Rscript make_robust.R                (in this folder; writes robust/*.json)
#
# Needs MASS, boot, brglm2 and survival, for cases.R, and sandwich (Debian: r-cran-sandwich).
# Covariances are sandwich's vcovHC and vcovCL of a glm, influence is that of stats. The score
# statistics are written out here by blocks (psi, lambda), as in Boos (1992), The American
# Statistician 46:327-333.

source("json.R")
source("cases.R")
library(sandwich)

HC <- c("HC0", "HC1", "HC2", "HC3")
CR <- c("CR0", "CR1", "CR1S")

# glm keeps the weights of its last step but one: a second fit from the end of the first has those
# of the maximum.
fit_glm <- function(X, share, used, offset) {
  once <- function(start = NULL) {
    suppressWarnings(glm(share ~ 0 + X, binomial, weights = used, offset = offset, start = start,
                         control = list(epsilon = 1e-16, maxit = 50)))
  }
  once(coef(once()))
}

# CR1 and CR1S are vcovCL's HC0 and HC1 with its adjustment G / (G - 1).
covariance <- function(fit, kind, clusters) {
  V <- switch(kind,
              CR0 = vcovCL(fit, clusters, type = "HC0", cadjust = FALSE),
              CR1 = vcovCL(fit, clusters, type = "HC0"),
              CR1S = vcovCL(fit, clusters, type = "HC1"),
              vcovHC(fit, kind))
  unname(V)
}

# The generalised score statistic of coefficient j at b.
score_statistic <- function(data, j, b, kind) {
  X <- data$X
  rest <- X[, -j, drop = FALSE]
  held <- suppressWarnings(
    glm.fit(rest, data$share, weights = data$used, offset = data$offset + b * X[, j],
            family = binomial(), control = list(epsilon = 1e-16, maxit = 50)))
  mu <- plogis(drop(rest %*% held$coefficients) + data$offset + b * X[, j])
  e <- data$used * (data$share - mu)
  v <- data$used * mu * (1 - mu)
  information <- crossprod(X, v * X)
  n <- nrow(X)
  p <- ncol(X)
  if (kind %in% HC) {
    h <- v * rowSums((X %*% solve(information)) * X)
    square <- e^2 * switch(kind, HC0 = 1, HC1 = n / (n - p), HC2 = 1 / (1 - h), HC3 = 1 / (1 - h)^2)
    meat <- crossprod(X, square * X)
  } else {
    sums <- rowsum(e * X, data$clusters)
    g <- nrow(sums)
    meat <- crossprod(sums) *
      switch(kind, CR0 = 1, CR1 = g / (g - 1), CR1S = g / (g - 1) * (n - 1) / (n - p))
  }
  K <- information[j, -j, drop = FALSE] %*% solve(information[-j, -j])
  V <- meat[j, j] - 2 * K %*% meat[-j, j] + K %*% meat[-j, -j] %*% t(K)
  drop(sum(e * X[, j])^2 / V)
}

# All coefficients but the first, together, at 0.
joint_wald <- function(coef, V) drop(coef[-1] %*% solve(V[-1, -1], coef[-1]))

influence_of <- function(fit) {
  list(leverage = unname(hatvalues(fit)), pearson_residual = unname(residuals(fit, "pearson")),
       deviance_residual = unname(residuals(fit, "deviance")),
       standardized_pearson_residual = unname(rstandard(fit, type = "pearson")),
       standardized_deviance_residual = unname(rstandard(fit)),
       cooks_distance = unname(cooks.distance(fit)))
}

# Rows of weight 0 are left out, since sandwich counts them in n. With `frequency` a row of weight a
# is written down a times for the covariances; influence is that of the weighted rows.
robust_reference <- function(case, clusters, kinds = c(HC, CR), frequency = FALSE) {
  kept <- which(case$weights > 0)
  rows <- if (frequency) rep(kept, case$weights[kept]) else kept
  used <- case$trials * (if (frequency) 1 else case$weights)
  data <- list(X = case$X[rows, ], share = (case$y / case$trials)[rows], used = used[rows],
               offset = case$offset[rows], clusters = clusters[rows])
  fit <- fit_glm(data$X, data$share, data$used, data$offset)
  coef <- unname(coef(fit))
  vcov <- sapply(kinds, function(kind) covariance(fit, kind, data$clusters), simplify = FALSE)
  null <- signif(coef - 1.3 * sqrt(diag(vcov(fit))), 3)
  score <- sapply(kinds, function(kind) {
    mapply(function(j, b) score_statistic(data, j, b, kind), seq_along(coef), null)
  }, simplify = FALSE)
  whole <- fit_glm(case$X[kept, ], (case$y / case$trials)[kept],
                   (case$trials * case$weights)[kept], case$offset[kept])
  versions <- list(R = paste(R.version$major, R.version$minor, sep = "."),
                   sandwich = as.character(packageVersion("sandwich")))
  list(name = case$name, made_with = versions, weights = case$weights, clusters = clusters,
       coef = coef, vcov = vcov, joint_wald = lapply(vcov, function(V) joint_wald(coef, V)),
       null = null, score = score, influence = influence_of(whole))
}

every <- cases()
names(every) <- sapply(every, `[[`, "name")
write_robust <- function(name, group, file = name, ...) {
  clusters <- group(seq_along(every[[name]]$y))
  write_json(robust_reference(every[[name]], clusters, ...), file.path("robust", paste0(file, ".json")))
}

write_robust("birthwt", function(row) row %% 23)
write_robust("menarche_offset", function(row) row %/% 4)
# Weights that are not whole multiply a row's score, which 1 - h of HC2 and HC3 says nothing about.
write_robust("infert_weighted", function(row) row %/% 6, kinds = setdiff(c(HC, CR), c("HC2", "HC3")))
write_robust("budworm_mixed", function(row) row %% 6, kinds = setdiff(c(HC, CR), c("HC2", "HC3")))
every$birthwt$weights <- seq_along(every$birthwt$y) %% 4
write_robust("birthwt", function(row) row %% 23, file = "birthwt_frequency", frequency = TRUE)
