# Deviances, criteria, tests of terms and predictions of new rows, as R's glm has them.
#
#   Rscript make_tables.R        writes tables/birthwt.json
library(MASS)
library(splines)
source("json.R")

births <- birthwt
births$race <- c("white", "black", "other")[births$race]
new <- data.frame(
  age = c(20, 25, 31.5), lwt = c(100, 130.25, 171), race = c("white", "black", "other"),
  smoke = c(1, 0, 1)
)

small <- glm(low ~ age + smoke, binomial, births, epsilon = 1e-14, maxit = 100)
large <- glm(low ~ age + smoke * race, binomial, births, epsilon = 1e-14, maxit = 100)
basis <- glm(
  low ~ poly(age, 2) + bs(lwt, df = 5) + race + scale(age):smoke, binomial, births,
  epsilon = 1e-14, maxit = 100
)
dropped <- drop1(large, test = "LRT")
nested <- anova(small, large, test = "LRT")
predicted <- predict(basis, new, type = "response")

dose <- data.frame(dose = 0:5, dead = c(0, 1, 1, 1, 2, 3))
counts <- glm(cbind(dead, 3 - dead) ~ dose, binomial, dose, epsilon = 1e-14)

out <- list(
  glance = list(
    null_deviance = large$null.deviance, df_null = large$df.null, deviance = large$deviance,
    df_residual = large$df.residual, aic = AIC(large), bic = BIC(large)
  ),
  drop_one = list(
    term = rownames(dropped)[-1], df = dropped$Df[-1], statistic = dropped$LRT[-1],
    p_value = dropped$`Pr(>Chi)`[-1], aic = dropped$AIC[-1]
  ),
  compare = list(statistic = nested$Deviance[2], df = nested$Df[2], p_value = nested$`Pr(>Chi)`[2]),
  predicted = unname(predicted),
  counts = list(
    aic = AIC(counts), null_deviance = counts$null.deviance,
    binomial = sum(lchoose(3, dose$dead))
  )
)
write_json(out, file.path("tables", "birthwt.json"))
